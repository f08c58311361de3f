"""A merge of two users that is undone leaves the same customers as if it had never been.

What came in between the merge and the undo stays with the key under which it came. A message counts for both, and what
forbids messages holds for both.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from schemas import wire
from schemas.journal import UndoMerge
from schemas.outputs import ProfileDivided, ProfileMerged, ProfileView
from schemas.touchpoint import PREVIOUS_ID, Consent, Marketing, Order, Product, Touchpoint
from streams.attribution.ledger import UNATTRIBUTED_REFUND
from streams.fold.record import Record
from streams.profiles.orders import window_sums
from streams.profiles.view import view
from tests.support.flow_sets import CUTS
from tests.support.flows import a_flow
from tests.support.interleaved import Interleaved
from tests.support.world import DAY_MS, HOUR_MS, START_MS

if TYPE_CHECKING:
    from streams.profiles.profile import Profile
    from streams.profiles.statement import ConsentState
    from tests.support.world import World

pytestmark = pytest.mark.acceptance

USERS = ("1", "2", "3", "4")
KINDS = (*("order_completed",) * 3, "order_refunded", *("ad_clicked",) * 2, "product_added", "consent_changed")
SETTINGS: dict[str, Any] = {
    "flows": (a_flow(wait={"for": "60d", "restarts": True}),),
    "cuts_fixed": CUTS,
    "entry_age_max_ms": 400 * DAY_MS,
}
FACTS = {"orders", "revenue_minor", "refunds", "refunds_minor", "new_customers", "credited_minor"}
STOCKS = {"customers_known", "customers_ordered", "customers"}
SINCE_MS, UNDONE_MS, END_MS = START_MS + 10 * DAY_MS, START_MS + 15 * DAY_MS, START_MS + 20 * DAY_MS
WHO = UndoMerge("they are two", "ann")


class History(NamedTuple):
    """What happened before a merge, between it and its undo, and afterwards; and who was merged and parted."""

    before: tuple[Touchpoint, ...]
    since: tuple[Touchpoint, ...]
    after: tuple[Touchpoint, ...]
    links: tuple[tuple[str, str], ...]
    undone: tuple[str, ...]


def a_history(random: Random, *, is_quiet: bool) -> History:
    """All are merged into 1; one of them is undone, or all in any order. With quiet, nothing comes in since."""
    users = USERS[: random.randrange(2, 5)]
    others = list(users[1:])
    undone = random.sample(others, random.choice((1, len(others))))
    before = _events(random, users, (START_MS, SINCE_MS), random.randrange(4, 18))
    since = () if is_quiet else _events(random, users, (SINCE_MS, UNDONE_MS), random.randrange(1, 8))
    after = _events(random, users, (UNDONE_MS, END_MS), random.randrange(6))
    return History(before, since, after, tuple([("1", other) for other in others]), tuple(undone))


def _events(random: Random, users: tuple[str, ...], span: tuple[int, int], count: int) -> tuple[Touchpoint, ...]:
    begin, end = span
    hours_of_all = range((end - begin) // HOUR_MS - 1)
    # at times several users do something in the same millisecond
    hours = sorted(random.choices(hours_of_all if random.random() < 0.7 else random.sample(hours_of_all, 4), k=count))
    first = [_known(user, begin, number) for number, user in enumerate(users)] if begin == START_MS else []
    return (*first, *[_an_event(random, users, begin + hour * HOUR_MS, begin, n) for n, hour in enumerate(hours)])


def _known(user: str, at_ms: int, number: int) -> Touchpoint:
    return Touchpoint(f"known {user}", "page_viewed", at_ms + number, user_id=user, email_hash=_address(user))


def _address(user: str) -> str:
    return user * 64


def _an_event(random: Random, users: tuple[str, ...], time_ms: int, begin: int, number: int) -> Touchpoint:
    """Visits of a span are of that span; in the first one, some are of two users."""
    user, kind = random.choice(users), random.choice(KINDS)
    fields: dict[str, Any] = {"session_id": f"{begin} {random.randrange(6)}" + ("" if begin == START_MS else user)}
    if random.random() < 0.3:
        fields["email_hash"] = _address(user)
    if random.random() < 0.3:
        fields["anonymous_id"] = f"phone {user}"
    if kind.startswith("order"):
        order_id = f"o{user} {random.randrange(8)}"
        minor = 1_000 * (1 + sum(order_id.encode()) % 5)
        fields["order"] = Order(order_id, "EUR", minor if kind == "order_completed" else minor // 2)
        fields["products"] = (Product("mug", 900, 1),)
    elif kind == "ad_clicked":
        fields |= {"channel": random.choice(("ads", "search")), "marketing": Marketing(campaign_id="spring")}
    elif kind == "product_added":
        fields["products"] = (Product(random.choice(("mug", "cup", "tea")), random.choice((700, 900)), 1),)
    else:
        fields["consent"] = Consent(random.choice(("sms", "push", "email")), granted=random.random() < 0.5)
    return Touchpoint(f"e{begin} {number}", kind, time_ms, user_id=user, **fields)


def a_link(number: int, pair: tuple[str, str]) -> Touchpoint:
    one, other = pair
    return Touchpoint(f"link {number}", "identity_linked", SINCE_MS - 1, user_id=one, properties={PREVIOUS_ID: other})


def lived(history: History, random: Random) -> Interleaved:
    """All of it, with what moves between partitions overtaking each other; each span is over when the next begins."""
    world = Interleaved(random, **SETTINGS)
    _spend(world, *history.before)
    _spend(
        world,
        *[a_link(number, pair if random.random() < 0.5 else pair[::-1]) for number, pair in enumerate(history.links)],
    )
    _spend(world, *history.since)
    for user in history.undone:
        world.append(Record(f"u:{user}", WHO, wire.encode(WHO), 0, 0))
        world.fold()
    _spend(world, *history.after, *_last(history))
    assert not world.dead_letters
    return world


def never(history: History, random: Random) -> Interleaved:
    """The same of those who were never merged."""
    world = Interleaved(random, **SETTINGS)
    _spend(world, *history.before)
    kept = [pair for pair in history.links if pair[1] not in history.undone]
    _spend(world, *[a_link(number, pair) for number, pair in enumerate(kept)])
    _spend(world, *history.since)
    _spend(world, *history.after, *_last(history))
    assert not world.dead_letters
    return world


def _spend(world: Interleaved, *events: Touchpoint) -> None:
    world.send(*events)
    world.fold()


def _last(history: History) -> list[Touchpoint]:
    people = {user for pair in history.links for user in pair}
    return [Touchpoint(f"last {user}", "page_viewed", END_MS, user_id=user) for user in sorted(people)]


def profile_of(world: World, user: str) -> Profile:
    profile = world.profile(f"u:{user}")
    assert profile is not None
    return profile


def sums_of(world: World, user: str) -> dict[str, Any]:
    """What a customer is to the shop."""
    profile = profile_of(world, user)
    shown = view(f"u:{user}", profile)
    hidden = {"scored_ms", "consent", "devices"}
    return {
        "shown": {name: getattr(shown, name) for name in shown.__struct_fields__ if name not in hidden},
        "orders": profile.orders,
        "changes": profile.changes,
        "months": profile.months,
        "sums": window_sums(profile, profile.clock_ms, 730 * DAY_MS),
        "touches": profile.touches,
        "paths": {each.order_id: each.path for each in profile.conversions if each.value_minor},
        "address": profile.email_hash,
        "first": profile.first_ms,
    }


def told_of(world: World) -> dict[str, Any]:
    """What insights and subscribers get; refunds of unknown orders stay under the key that had them first."""
    by_customer = world.credit("customer", "order_id", "model", "channel", "touch_id")
    return {
        "visits": world.total("sessions"),
        "facts": {key: value for key, value in world.counts.items() if key[0] in FACTS and value},
        "stocks": {key: value for key, value in world.counts.items() if key[0] in STOCKS and value},
        "credit": world.credit("order_id", "model", "channel", "touch_id", "currency"),
        "credit by customer": {key: minor for key, minor in by_customer.items() if UNATTRIBUTED_REFUND not in key},
    }


def _withdrawals(world: World, users: list[str]) -> set[ConsentState]:
    said = [item for user in users for item in profile_of(world, user).consents]
    return {item for item in said if not item.grants and item.received_ms < UNDONE_MS}


def _assert_undo_is_as_if_never_merged(seed: int, count: int, *, is_quiet: bool) -> None:
    for number in range(count):
        random = Random(f"{seed} {number}")
        history = a_history(random, is_quiet=is_quiet)
        found, wanted = lived(history, random).world, never(history, random).world
        where = f"seed {seed}, history {number}: {history}"
        apart = ["1", *history.undone]
        for user in apart:
            assert sums_of(found, user) == sums_of(wanted, user), where
        assert told_of(found) == told_of(wanted), where
        _assert_grants_go_back_and_withdrawals_hold_for_both(found, wanted, apart, where)
        _assert_subscribers_know(found, history)
        assert found.total("candidates_unaccounted") == 0


def _assert_grants_go_back_and_withdrawals_hold_for_both(
    found: World, wanted: World, apart: list[str], where: str
) -> None:
    """A withdrawal that names no address holds for all, and is also kept for those that the survivor had meanwhile.

    Which address one is told to that is said afterwards depends on what came in before it, undo or not.
    """
    withdrawn = _withdrawals(wanted, apart)
    for user in apart:
        said, own = set(profile_of(found, user).consents), set(profile_of(wanted, user).consents)
        assert _granted(said) == _granted(own), where
        forbids = [item for item in said if not item.grants and item.received_ms < UNDONE_MS]
        held = {(item.received_ms, item.channel, item.address) for item in forbids}
        for item in withdrawn:
            assert {(item.received_ms, item.channel, address) for address in ("", item.address)} & held, where
        assert {item.received_ms for item in forbids} == {item.received_ms for item in withdrawn}, where
        after = {(item.received_ms, item.channel) for item in own if not item.grants and not item.address}
        assert after <= {(item.received_ms, item.channel) for item in said if not item.grants}, where


def _granted(said: set[ConsentState]) -> set[tuple[str, int, str]]:
    """What was granted when, and for which address.

    One that came in since is for the address that the survivor had then. Of one that comes in beside the event that
    names another address, it may be unsure which was meant.
    """
    unsure = {item for item in said if item.received_ms >= SINCE_MS}
    return {(item.channel, item.time_ms, "" if item in unsure else item.address) for item in said if item.grants}


def _assert_subscribers_know(world: World, history: History) -> None:
    last = {who: record for who, record in world.outputs if isinstance(record, (ProfileView, ProfileMerged))}
    divided = [record.customer for record in world.emitted(ProfileDivided)]
    assert divided == [f"u:{user}" for user in history.undone]
    for _, user in history.links:
        assert isinstance(last[f"u:{user}"], ProfileMerged) == (user not in history.undone)


def test_a_merge_that_is_undone_at_once_leaves_those_who_were_there(seed: int) -> None:
    _assert_undo_is_as_if_never_merged(seed, 50, is_quiet=True)


def test_what_came_in_since_stays_with_whom_it_named(seed: int) -> None:
    _assert_undo_is_as_if_never_merged(seed, 50, is_quiet=False)


@pytest.mark.slow
def test_thousands_of_merges_that_are_undone_at_once(seed: int) -> None:
    _assert_undo_is_as_if_never_merged(seed, 2_000, is_quiet=True)


@pytest.mark.slow
def test_thousands_of_merges_that_are_undone_later(seed: int) -> None:
    _assert_undo_is_as_if_never_merged(seed, 2_000, is_quiet=False)
