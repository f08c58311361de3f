"""Whose an order is, by the set of claims, and how long its ids and histories are."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from schemas.limits import CHANGES_OF_AN_ORDER_MAX, CLAIMS_MAX, TEXT_BYTES_MAX, UNMATCHED_BYTES_MAX
from streams.profiles.claims import (
    ADDRESS,
    DEVICE,
    NOBODY,
    USER,
    bounded_changes,
    entry_key,
    in_its_shop,
    is_of_a_month,
    named_by,
    owner_of,
    plain_id,
    with_claim,
    with_claim_moved,
    with_id_noted,
)
from streams.profiles.effects import hash_64
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import COMPLETED, REFUNDED
from streams.profiles.order_entry import Claim, OrderEntry
from streams.profiles.profile import EMPTY, OrderMonth, PlacedOrder, Profile
from streams.settings import parse_domain
from tests.support.world import START_MS, an_order

SHOPS = parse_domain('{"shops": {"till": "berlin"}}')
ONE_SHOP = parse_domain("{}")


def a_claim(
    customer: str, named: int = USER, event_id: str = "e", *, is_refund: bool = False, is_browser: bool = False
) -> Claim:
    return Claim(is_refund, named, is_browser, event_id, customer, (is_browser, event_id))


BEST_FIRST = (
    a_claim("u:2", event_id="e1"),
    a_claim("u:1", event_id="e2"),
    a_claim("u:3", event_id="e0", is_browser=True),
    a_claim("o:7", ADDRESS),
    a_claim("a:1", DEVICE),
    a_claim("o:8", NOBODY),
    a_claim("u:4", event_id="e0", is_refund=True),
)


def test_the_owner_is_a_user_before_an_address_before_a_device_then_the_servers_then_the_smallest_id() -> None:
    for one, other in pairwise(BEST_FIRST):
        for pair in ((one, other), (other, one)):
            claims: tuple[Claim, ...] = ()
            for claim in pair:
                claims = with_claim(claims, claim)
            assert owner_of(OrderEntry(claims, ())) == one.customer
    assert owner_of(None) is None


def test_claims_are_the_same_in_any_order_each_profiles_best() -> None:
    worse = a_claim("u:1", event_id="e3")
    found = set()
    for order in permutations((*BEST_FIRST[:4], worse)):
        claims: tuple[Claim, ...] = ()
        for claim in order:
            claims = with_claim(claims, claim)
        found.add(claims)
    assert found == {BEST_FIRST[:4]}


def test_no_more_claims_are_kept_than_the_limit() -> None:
    claims: tuple[Claim, ...] = ()
    for number in reversed(range(CLAIMS_MAX + 3)):
        claims = with_claim(claims, a_claim(f"a:{number:02}", DEVICE, f"e{number:02}"))
    assert [claim.customer for claim in claims] == [f"a:{number:02}" for number in range(CLAIMS_MAX)]


@pytest.mark.parametrize(
    ("customer", "has_address", "named"),
    [
        ("u:1", True, USER),
        ("a:1", True, ADDRESS),
        ("a:1", False, DEVICE),
        ("o:1", True, ADDRESS),
        ("o:1", False, NOBODY),
    ],
)
def test_an_event_names_a_user_an_address_a_device_or_nobody(customer: str, *, has_address: bool, named: int) -> None:
    assert named_by(customer, has_address=has_address) == named


def test_a_claim_moves_to_who_absorbs_its_profile_and_names_a_user_then() -> None:
    device = a_claim("a:1", DEVICE, "e5")
    assert with_claim_moved((device,), "a:1", "u:1", is_known=True) == (a_claim("u:1", USER, "e5"),)
    by_address = a_claim("a:1", ADDRESS, "e2", is_browser=True)
    both = with_claim((device,), by_address)
    assert (both[0].named, both[0].event_id) == (ADDRESS, "e2")
    assert with_claim_moved(both, "a:1", "u:1", is_known=True) == (a_claim("u:1", USER, "e5"),)
    better = a_claim("u:1", USER, "e1")
    assert with_claim_moved((better, device), "a:1", "u:1", is_known=True) == (better,)


def test_who_absorbs_an_order_from_before_there_were_claims_claims_it() -> None:
    (claim,) = with_claim_moved((), "a:1", "u:1", is_known=True)
    assert (claim.customer, claim.named, claim.event_id) == ("u:1", USER, "")
    assert with_claim_moved((), "a:1", "u:1", is_known=False) == ()
    assert with_claim_moved((claim,), "a:1", "u:1", is_known=True) == (claim,)
    (refund,) = with_claim_moved((), "a:1", "u:1", is_known=True, is_refund=True)
    assert refund.is_refund


def test_a_claim_of_an_unknown_event_gives_way_to_one_of_an_event_that_is_known() -> None:
    (unknown,) = with_claim_moved((), "u:5", "u:4", is_known=True)
    known = a_claim("u:1", event_id="e9", is_browser=True)
    assert with_claim((unknown,), known) == (known, unknown)
    assert with_claim_moved((known, unknown), "u:4", "u:1", is_known=True) == (known,)


def test_an_orders_entry_is_under_the_hash_of_its_id() -> None:
    assert entry_key(hash_64("7")) == "o:/" + f"{hash_64('7') & (1 << 64) - 1:x}".rjust(16, "0")
    assert (entry_key(1), entry_key(-1)) == ("o:/0000000000000001", "o:/ffffffffffffffff")


def test_an_order_id_has_its_shop_before_it() -> None:
    event = in_its_shop(an_order(START_MS, order_id="7", source="till"), SHOPS)
    assert event.order is not None
    assert event.order.order_id == "berlin/7"
    assert (plain_id("berlin/7", SHOPS), plain_id("paris/7", SHOPS), plain_id("7", SHOPS)) == ("7", "paris/7", "7")
    same = an_order(START_MS, order_id="7", source="web")
    assert in_its_shop(same, SHOPS) is same


def test_ids_of_any_length_fit_into_a_key_and_a_text() -> None:
    long = "x" * TEXT_BYTES_MAX
    event = in_its_shop(an_order(START_MS, order_id=long, source="till"), SHOPS)
    assert event.order is not None
    assert event.order.order_id.startswith("berlin/")
    assert len(event.order.order_id) <= TEXT_BYTES_MAX


def test_of_a_long_history_the_completion_and_the_newest_stay() -> None:
    history = tuple([OrderChange(START_MS + at, at, 7, 100, REFUNDED, "") for at in range(100)])
    completed = OrderChange(START_MS, 0, 7, 5_000, COMPLETED, "")
    kept = bounded_changes((completed, *history))
    assert len(kept) == CHANGES_OF_AN_ORDER_MAX
    assert (kept[0], kept[1:]) == (completed, history[-CHANGES_OF_AN_ORDER_MAX + 1 :])
    assert bounded_changes(history[:3]) == history[:3]
    assert len(bounded_changes(history)) == CHANGES_OF_AN_ORDER_MAX


def test_of_a_long_history_what_browsers_said_goes_first() -> None:
    refund = OrderChange(START_MS, 1, 7, 100, REFUNDED, "")
    many = [OrderChange(START_MS + at, at, 7, 0, REFUNDED, "", is_browser=True) for at in range(2, 100)]
    bounded = bounded_changes((refund, *many))
    assert len(bounded) == CHANGES_OF_AN_ORDER_MAX
    assert bounded[:1] == (refund,)


def test_the_id_of_an_order_is_noted_while_only_refunds_of_it_are_known() -> None:
    refund = OrderChange(START_MS, 1, 7, 100, REFUNDED, "")
    completed = OrderChange(START_MS, 0, 7, 5_000, COMPLETED, "")
    noted = with_id_noted(EMPTY, "7", (refund,))
    assert noted.unmatched_ids == ("7",)
    assert with_id_noted(noted, "7", (refund,)) is noted
    assert with_id_noted(noted, "7", (refund, completed)).unmatched_ids == ()
    assert with_id_noted(noted, "7", ()).unmatched_ids == ()
    for number in range(1_000):
        noted = with_id_noted(noted, f"order {number}", (refund,))
    assert noted.unmatched_ids[-1] == "order 999"
    assert sum([len(each) + 3 for each in noted.unmatched_ids]) <= UNMATCHED_BYTES_MAX


def test_without_newer_orders_no_month_keeps_an_order() -> None:
    month = OrderMonth(START_MS + 1, 1, 5_000)
    history = (OrderChange(START_MS, 0, 7, 5_000, COMPLETED, ""),)
    assert not is_of_a_month(Profile(START_MS, months=(month,)), 7, history)


def test_an_order_of_which_only_a_month_is_kept_is_not_placed_again() -> None:
    history = (OrderChange(START_MS, 0, 7, 5_000, COMPLETED, ""),)
    later = PlacedOrder(START_MS + 1, 1, 0, 8)
    full = Profile(months=(OrderMonth(START_MS, 1, 5_000),), orders=(later,))
    assert is_of_a_month(full, 7, history)
    assert not is_of_a_month(Profile(orders=(later,)), 7, history)
    assert not is_of_a_month(full, 8, history)
