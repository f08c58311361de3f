"""Consent by purpose and address, through the fold: to whom a statement goes, and what it takes back."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import RULES_3, RULES_4, AddressConsent, AddressNotice, Configured
from schemas.outputs import Decision, ProfileView, Revocation, Trigger
from schemas.touchpoint import Consent
from streams.fold.granting import SETTLED_MS
from streams.fold.moment import Rejected
from streams.fold.stepping import stepped_back
from streams.profiles.profile import EMPTY
from tests.support.flows import a_bare_flow, a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

A, B, C = ("aa" * 32, "bb" * 32, "cc" * 32)
THANKS = a_bare_flow("thanks", "order_completed", **{"class": "transactional"}, products="order")
NEWS = a_bare_flow(
    "news",
    "product_viewed",
    caps={"per_channel_hours": 0, "per_week": 100},
    exits=[],
    steps=[{"name": "message", "do": "trigger", "offer": "save_5"}],
)


def a_world(*flows: dict[str, Any], **given: Any) -> World:
    world = World(flows=flows or (a_flow(),), **{"consent_default": "denied", **given})
    world.pass_time(START_MS - 1)
    return world


def says(at_ms: int, user: str | None = "1", channel: str = "email", *, granted: bool, **fields: Any) -> Touchpoint:
    names = ("purpose", "at_most", "only_flow")
    consent = Consent(channel, granted, **{name: fields.pop(name) for name in names if name in fields})
    return a_touchpoint("consent_changed", at_ms, user, consent=consent, **fields)


def unsubscribes(at_ms: int, user: str | None = "1", **fields: Any) -> Touchpoint:
    return a_touchpoint("email_unsubscribed", at_ms, user, **fields)


def mailed(world: World) -> list[tuple[str, str]]:
    """Customers and addresses of messages, without those that were taken back."""
    revoked = {each.trigger_id for each in world.emitted(Revocation)}
    sent = [each for each in world.emitted(Trigger) if each.trigger_id not in revoked]
    return [(each.customer, (each.email_hash or "")[:2]) for each in sent]


def outcomes(world: World, flow: str) -> list[str]:
    return [each.outcome for each in world.emitted(Decision) if each.flow_id == flow]


def test_a_slow_clock_does_not_undo_a_withdrawal() -> None:
    world = a_world()
    world.send(says(START_MS, granted=True))
    world.send(says(START_MS - HOUR_MS, granted=False), received_ms=START_MS + HOUR_MS)
    world.send(an_add(START_MS + 2 * HOUR_MS))
    world.pass_time(START_MS + 4 * DAY_MS)
    assert mailed(world) == []


def test_between_servers_the_time_of_the_event_decides() -> None:
    world = a_world(server_sources=("crm",))
    world.send(says(START_MS, granted=True, source="crm"))
    world.send(says(START_MS - HOUR_MS, granted=False, source="crm"), received_ms=START_MS + HOUR_MS)
    world.send(an_add(START_MS + 2 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:1", "")]


@pytest.mark.parametrize(("purpose", "goes"), [("service", True), ("promotional", False)])
def test_a_grant_of_the_same_millisecond_still_counts_when_more_is_said(purpose: str, *, goes: bool) -> None:
    world = a_world(NEWS)
    world.send(says(START_MS + HOUR_MS, granted=True), a_touchpoint("product_viewed", START_MS + HOUR_MS))
    late = says(START_MS + HOUR_MS - 1, granted=False, purpose=purpose)
    world.send(late, received_ms=START_MS + HOUR_MS + 1)
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == ([("u:1", "")] if goes else [])


def test_an_unsubscribe_leaves_order_mail_alone_and_a_withdrawal_of_its_own_purpose_does_not() -> None:
    world = a_world(THANKS)
    world.send(unsubscribes(START_MS), an_order(START_MS + 1), says(START_MS + 2, granted=False))
    world.send(an_order(START_MS + 3), says(START_MS + 4, granted=False, purpose="transactional"))
    world.send(an_order(START_MS + 5))
    assert outcomes(world, "thanks") == ["entered", "sent", "entered", "sent", "entered", "no_consent"]


def test_a_flow_asks_for_the_purpose_of_its_file() -> None:
    world = a_world({**NEWS, "purpose": "profiling"})
    world.send(says(START_MS, granted=True), a_touchpoint("product_viewed", START_MS + 1))
    world.send(says(START_MS + 2, granted=True, purpose="profiling"), a_touchpoint("product_viewed", START_MS + 3))
    world.pass_time(START_MS + HOUR_MS)
    assert outcomes(world, "news") == ["entered", "no_consent", "entered", "sent"]
    assert world.emitted(Decision)[-1].evidence["consent_purpose"] == "profiling"


def test_a_decision_names_the_statement_on_which_it_rests() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, email_hash=A, source="form"), received_ms=START_MS + MINUTE_MS)
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + 2 * HOUR_MS)
    evidence = world.emitted(Decision)[-1].evidence
    assert {name: evidence[name] for name in evidence if name.startswith("consent")} == {
        "consent": f"email@{START_MS}",
        "consent_purpose": "promotional",
        "consent_address": A,
        "consent_received_ms": str(START_MS + MINUTE_MS),
        "consent_source": "form",
    }


def test_a_grant_reaches_no_other_profile_and_no_other_address() -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, "F", email_hash=B))
    world.send(says(START_MS + 1, "A", granted=True, email_hash=A), an_order(START_MS + 2, user="A", email_hash=B))
    world.send(says(START_MS + 3, None, granted=True, email_hash=B))
    for user in ("F", "A"):
        world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, user))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, "A", email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + 3 * HOUR_MS, "A"))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:A", "aa")]


def test_a_device_brings_no_grant_for_an_address_of_somebody_else() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, "B", granted=False, email_hash=B))
    world.send(says(START_MS + 1, None, granted=True, anonymous_id="tablet", email_hash=C))
    world.send(a_touchpoint("page_viewed", START_MS + 2, "B", anonymous_id="tablet"))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, "B"))
    world.pass_time(START_MS + DAY_MS)
    profile = world.profile("u:B")
    assert profile is not None
    assert (mailed(world), profile.email_hash, [each.granted for each in profile.consents]) == ([], B, [False])


@pytest.mark.parametrize(
    ("said", "granted", "goes"),
    [
        ([("sms", False)], ("sms", None), False),
        ([("all", False)], ("sms", None), False),
        ([("sms", False)], ("all", None), False),
        ([("sms", False)], ("all", B), False),
        ([("sms", False)], ("all", A), False),
        ([("email", False)], ("sms", None), True),
        ([], ("sms", None), True),
        ([], ("all", A), True),
        ([], ("all", B), False),
    ],
)
def test_a_tablets_grant_does_not_beat_what_the_user_said_of_the_channel(
    said: list[tuple[str, bool]], granted: tuple[str, str | None], *, goes: bool
) -> None:
    world = a_world({**NEWS, "channel": "sms"})
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A))
    world.send(*(says(START_MS + 1, "1", channel, granted=is_granted) for channel, is_granted in said))
    channel, address = granted
    world.send(says(START_MS + HOUR_MS, None, channel, granted=True, anonymous_id="tablet", email_hash=address))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, anonymous_id="tablet"))
    world.send(a_touchpoint("product_viewed", START_MS + 3 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert [customer for customer, _ in mailed(world)] == (["u:1"] if goes else [])


@pytest.mark.parametrize("channel", ["email", "all"])
@pytest.mark.parametrize("address", [None, B])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_limit_that_was_said_at_a_tablet_holds_for_its_user_until_they_grant_all(
    channel: str, address: str | None, *, is_linked: bool
) -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, email_hash=A))
    login = a_touchpoint("page_viewed", START_MS + HOUR_MS, anonymous_id="tablet")
    typed = a_touchpoint("page_viewed", START_MS + HOUR_MS, None, anonymous_id="tablet", email_hash=address)
    said = says(START_MS + HOUR_MS, None, channel, granted=True, at_most=1, anonymous_id="tablet")
    world.send(*((login, typed, said) if is_linked else (typed, said, login)))
    for hour in range(2, 5):
        world.send(a_touchpoint("product_viewed", START_MS + hour * HOUR_MS))
        world.pass_time(START_MS + hour * HOUR_MS + MINUTE_MS)
    assert len(mailed(world)) == (1 if address is None or is_linked else 3)
    world.send(says(START_MS + 5 * HOUR_MS, granted=True, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + 6 * HOUR_MS))
    world.pass_time(START_MS + 7 * HOUR_MS)
    assert len(mailed(world)) == (2 if address is None or is_linked else 4)


LOGIN = partial(a_touchpoint, "page_viewed", anonymous_id="tablet")


@pytest.mark.parametrize("is_linked", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS, None, anonymous_id="tablet", email_hash=B),
        says(START_MS + 3 * HOUR_MS, None, granted=True, anonymous_id="tablet"),
        says(START_MS + 3 * HOUR_MS, None, granted=True, anonymous_id="tablet", email_hash=B),
    ],
    ids=["types an address", "grants", "grants for another address"],
)
def test_what_the_next_person_says_at_a_tablet_is_not_the_users_before_or_after_the_login(
    said: Touchpoint, *, is_linked: bool
) -> None:
    for withdrew in (True, False):
        world = a_world(NEWS)
        world.send(says(START_MS, granted=True, email_hash=A))
        if withdrew:
            world.send(says(START_MS + HOUR_MS, granted=False, email_hash=A))
        world.pass_time(START_MS + 2 * HOUR_MS)
        login = LOGIN(START_MS + (2 if is_linked else 4) * HOUR_MS)
        world.send(*((login, said) if is_linked else (said, login)))
        world.pass_time(START_MS + 5 * HOUR_MS)
        world.send(a_touchpoint("product_viewed", START_MS + 5 * HOUR_MS))
        world.pass_time(START_MS + 6 * HOUR_MS)
        assert mailed(world) == ([] if withdrew else [("u:1", "aa")])


def test_an_address_typed_at_a_device_of_a_user_counts_until_they_name_one() -> None:
    world = a_world(NEWS, consent_default="granted")
    world.send(LOGIN(START_MS), LOGIN(START_MS + HOUR_MS, None, email_hash=B))
    assert (world.profile("u:1") or EMPTY).email_hash == B
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A), LOGIN(START_MS + 2 * HOUR_MS, None, email_hash=B))
    assert (world.profile("u:1") or EMPTY).email_hash == A


def test_a_withdrawal_at_a_linked_tablet_silences_its_user_alone_unless_it_names_an_address() -> None:
    for address in (None, A):
        world = a_world(NEWS)
        for user in "12":
            world.send(says(START_MS, user, granted=True, email_hash=A))
        world.send(LOGIN(START_MS + 1), unsubscribes(START_MS + 2, None, anonymous_id="tablet", email_hash=address))
        for user in "12":
            world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, user))
        world.pass_time(START_MS + 2 * HOUR_MS)
        assert mailed(world) == ([("u:2", "aa")] if address is None else [])


@pytest.mark.parametrize("device", ["phone", None])
@pytest.mark.parametrize("does", [an_order, partial(says, granted=True)], ids=["orders", "grants"])
def test_an_address_that_anybody_types_without_a_user_id_proves_nothing(does: Any, device: str | None) -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, email_hash=A))
    world.send(a_touchpoint("email_bounced", START_MS + HOUR_MS, None, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, None, anonymous_id="phone", email_hash=A))
    world.send(does(START_MS + 3 * HOUR_MS, user=None, anonymous_id=device, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + 4 * HOUR_MS))
    world.pass_time(START_MS + 5 * HOUR_MS)
    assert mailed(world) == []


def test_an_order_at_the_tablet_of_a_user_ends_the_cart_of_who_has_its_address() -> None:
    world = a_world(consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=B), an_add(START_MS + 1, user="2"))
    world.send(LOGIN(START_MS + 2), an_order(START_MS + 3, user=None, anonymous_id="tablet", email_hash=B))
    assert (world.profile("u:2") or EMPTY).cart is None


def test_a_tablets_grant_for_the_address_of_the_user_still_counts_for_it() -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A), unsubscribes(START_MS + 1))
    world.send(says(START_MS + HOUR_MS, "1", "sms", granted=False))
    world.send(says(START_MS + HOUR_MS + 1, None, "all", granted=True, anonymous_id="phone", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, anonymous_id="phone"))
    world.send(a_touchpoint("product_viewed", START_MS + 3 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:1", "aa")]


def test_a_tablets_grant_does_not_undo_what_the_user_withdrew_before_they_named_an_address() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=False))
    world.send(says(START_MS + HOUR_MS, None, granted=True, anonymous_id="tablet", email_hash=B))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, anonymous_id="tablet"))
    world.send(a_touchpoint("product_viewed", START_MS + 3 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == []


def test_a_guest_who_becomes_a_user_keeps_the_grant_of_the_device() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, None, granted=True, anonymous_id="d", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 1, "1", anonymous_id="d"))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:1", "aa")]


@pytest.mark.parametrize("back", [True, False])
def test_a_grant_without_an_address_stays_with_that_of_its_time(*, back: bool) -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A), says(START_MS + 1, granted=False, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 2, email_hash=B), says(START_MS + 3, granted=True))
    if back:
        world.send(a_touchpoint("page_viewed", START_MS + 4, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == ([] if back else [("u:1", "bb")])


@pytest.mark.parametrize("withdrew", [True, False])
def test_a_grant_without_an_address_does_not_move_to_that_of_a_merged_user(*, withdrew: bool) -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=B))
    if withdrew:
        world.send(says(START_MS + 1, "2", granted=False, email_hash=B))
    world.send(says(START_MS + HOUR_MS, "1", granted=True), a_touchpoint("page_viewed", START_MS + DAY_MS, "2"))
    world.send(a_touchpoint("page_viewed", START_MS + DAY_MS, "2", email_hash=B))
    world.send(a_touchpoint("identity_linked", START_MS + DAY_MS, "1", properties={"previous_id": "2"}))
    world.send(a_touchpoint("product_viewed", START_MS + 2 * DAY_MS))
    world.pass_time(START_MS + 3 * DAY_MS)
    assert mailed(world) == []


def test_a_grant_without_an_address_outlives_that_address_and_is_for_no_other() -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A), says(START_MS + 1, granted=True))
    for number in range(9):
        world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS + number, email_hash=f"{number}" * 64))
    world.send(a_touchpoint("product_viewed", START_MS + DAY_MS, email_hash="1" * 64))
    world.pass_time(START_MS + 2 * DAY_MS)
    assert mailed(world) == []


def test_a_tablets_grant_without_an_address_is_for_that_which_was_typed_there() -> None:
    world = a_world(NEWS)
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 1, None, anonymous_id="tablet", email_hash=B))
    world.send(says(START_MS + 2, None, granted=True, anonymous_id="tablet"))
    world.send(a_touchpoint("page_viewed", START_MS + 3, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 4, anonymous_id="tablet"))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == []


@pytest.mark.parametrize("is_linked_first", [True, False])
def test_a_withdrawal_reaches_every_profile_of_the_address_and_takes_back_what_is_on_the_way(
    *, is_linked_first: bool
) -> None:
    world = a_world(NEWS, consent_default="granted")
    naming = a_touchpoint("page_viewed", START_MS, "2", email_hash=A)
    if is_linked_first:
        world.send(naming)
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, "2"))
    world.send(unsubscribes(START_MS + HOUR_MS - 1, "1", email_hash=A))
    if not is_linked_first:
        world.send(naming, received_ms=START_MS + HOUR_MS + 1)
    world.send(a_touchpoint("product_viewed", START_MS + 2 * HOUR_MS, "2"))
    world.pass_time(START_MS + DAY_MS)
    revoked = ["revoked"] if is_linked_first else []
    assert outcomes(world, "news") == ["entered", "sent", *revoked, "entered", "no_consent"]


def test_who_has_another_address_now_is_not_held_by_the_old_one() -> None:
    world = a_world(NEWS, consent_default="granted")
    world.send(
        a_touchpoint("page_viewed", START_MS, email_hash=A), a_touchpoint("page_viewed", START_MS + 1, email_hash=B)
    )
    world.send(unsubscribes(START_MS + 2, None, email_hash=A))
    world.send(a_touchpoint("email_bounced", START_MS + 3, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:1", "bb")]


def test_an_addressless_grant_is_for_the_address_of_its_time_and_a_withdrawal_for_all() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True), a_touchpoint("page_viewed", START_MS + 1, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + 2))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, email_hash=B))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS + 1))
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert mailed(world) == [("u:1", "aa")]
    world.send(says(START_MS + 3 * HOUR_MS, granted=True, email_hash=B), unsubscribes(START_MS + 4 * HOUR_MS))
    for address in (A, B):
        at_ms = START_MS + (5 if address == A else 6) * HOUR_MS
        world.send(a_touchpoint("page_viewed", at_ms, email_hash=address), a_touchpoint("product_viewed", at_ms + 1))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:1", "aa")]


def test_a_withdrawal_on_a_tablet_silences_its_user_but_no_other_profile_of_their_address() -> None:
    world = a_world(NEWS)
    for user in "12":
        world.send(says(START_MS, user, granted=True, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 1, None, anonymous_id="tablet", email_hash=B))
    world.send(says(START_MS + 2, None, granted=False, anonymous_id="tablet"))
    world.send(a_touchpoint("page_viewed", START_MS + 3, "1", anonymous_id="tablet"))
    for user in "12":
        world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, user))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:2", "aa")]


def test_sms_belongs_to_the_user_whatever_address_is_named() -> None:
    sms = {**NEWS, "channel": "sms"}
    world = a_world(sms)
    world.send(
        says(START_MS, "1", "sms", granted=True, email_hash=A), says(START_MS, "2", "sms", granted=False, email_hash=A)
    )
    for user in "12":
        world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, user))
    world.pass_time(START_MS + DAY_MS)
    assert [customer for customer, _ in mailed(world)] == ["u:1"]


@pytest.mark.parametrize("browser", [None, "laptop"])
def test_a_guests_order_ends_what_waits_for_those_who_have_the_address(browser: str | None) -> None:
    world = a_world(consent_default="granted")
    for user, address in (("1", A), ("2", B)):
        world.send(an_add(START_MS + MINUTE_MS, user=user, email_hash=address))
    order = an_order(START_MS + HOUR_MS, user=None, email_hash=A, anonymous_id=browser)
    world.send(order)
    records = len(list(world.partition.send(replace(order, event_id="reloaded"))))
    assert records <= 3
    world.pass_time(START_MS + 5 * DAY_MS)
    assert {customer for customer, _ in mailed(world)} == {"u:2"}
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.cart is None
    assert world.total("candidates_unaccounted") == 0


@pytest.mark.parametrize("buyer", ["1", None])
def test_an_add_from_before_an_order_with_the_address_fills_no_cart_when_it_comes_in_late(buyer: str | None) -> None:
    world = a_world(consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A))
    world.send(an_order(START_MS + 2 * HOUR_MS, user=buyer, email_hash=A))
    world.send(an_add(START_MS + HOUR_MS), received_ms=START_MS + 3 * HOUR_MS)
    assert (world.profile("u:1") or EMPTY).cart is None
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == []
    world.send(a_touchpoint("page_viewed", START_MS + DAY_MS, email_hash=B), an_add(START_MS + HOUR_MS))
    is_of_another_address = buyer is None
    assert ((world.profile("u:1") or EMPTY).cart is not None) is is_of_another_address


def test_a_guests_order_from_a_clock_that_is_ahead_ends_no_cart_that_is_filled_after_it_came_in() -> None:
    world = a_world(consent_default="granted")
    world.send(an_order(START_MS + DAY_MS - 1, user=None, email_hash=A), received_ms=START_MS)
    world.send(an_add(START_MS + HOUR_MS), a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, email_hash=A))
    assert (world.profile("u:1") or EMPTY).cart is not None


@pytest.mark.parametrize("user", ["1", None])
@pytest.mark.parametrize("is_woken", [True, False])
def test_what_had_gone_out_to_an_idle_customer_is_named_if_the_withdrawal_names_only_the_address(
    user: str | None, *, is_woken: bool
) -> None:
    world = a_world({**NEWS, "send_time": "best"})
    world.send(says(START_MS, granted=True, email_hash=A))
    world.pass_time(START_MS + HOUR_MS)
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    for hour in range(1, 20 if is_woken else 9):
        world.pass_time(START_MS + hour * HOUR_MS + MINUTE_MS)
    assert world.emitted(Trigger)[0].due_ms == START_MS + 10 * HOUR_MS
    world.send(unsubscribes(START_MS + 5 * HOUR_MS, user, email_hash=A), received_ms=START_MS + 20 * HOUR_MS)
    assert outcomes(world, "news") == ["entered", "sent", "late_withdrawal"]
    assert not world.emitted(Revocation)


def test_what_had_gone_out_before_a_late_withdrawal_is_named_by_its_candidate() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True), a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + 2 * HOUR_MS)
    world.send(says(START_MS + 1, granted=False), received_ms=START_MS + DAY_MS)
    entered, sent, late = world.emitted(Decision)
    assert [each.outcome for each in (entered, sent, late)] == ["entered", "sent", "late_withdrawal"]
    assert (late.candidate_id, late.final, late.arm) == (sent.candidate_id, False, sent.arm)
    assert (late.evidence["sent_ms"], late.evidence["consent"]) == (str(START_MS + HOUR_MS), f"email@{START_MS + 1}")


@pytest.mark.parametrize(("withdrawn", "is_named"), [({"email_hash": A}, True), ({"email_hash": B}, False), ({}, True)])
def test_what_had_gone_out_is_judged_by_the_address_to_which_it_went(
    withdrawn: dict[str, str], *, is_named: bool
) -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, email_hash=A), a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + 2 * HOUR_MS)
    world.send(says(START_MS + 3 * HOUR_MS, granted=True, email_hash=B))
    for number in range(9):
        world.send(a_touchpoint("page_viewed", START_MS + 4 * HOUR_MS + number, email_hash=f"{number}" * 64))
    world.send(says(START_MS + 1, granted=False, **withdrawn), received_ms=START_MS + DAY_MS)
    assert outcomes(world, "news") == ["entered", "sent", *["late_withdrawal"] * is_named]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([False, True], []),
        ([True, False], ["late_withdrawal", "revoked"]),
        ([False], ["late_withdrawal", "revoked"]),
        ([True], []),
    ],
)
def test_what_a_merged_user_said_counts_as_a_whole(other: list[bool], expected: list[str]) -> None:
    world = a_world(NEWS, {**NEWS, "id": "best", "send_time": "best"})
    world.send(says(START_MS, "1", granted=True, email_hash=A), a_touchpoint("product_viewed", START_MS + 9 * HOUR_MS))
    world.pass_time(START_MS + 9 * HOUR_MS + 1)
    assert [each.channel for each in world.emitted(Trigger)] == ["email"] * 2
    for number, granted in enumerate(other):
        world.send(says(START_MS + (number + 1) * HOUR_MS, "2", granted=granted))
    count = len(world.emitted(Decision))
    at_ms = START_MS + 9 * HOUR_MS + 2
    world.send(a_touchpoint("identity_linked", at_ms, "1", properties={"previous_id": "2"}))
    assert [each.outcome for each in world.emitted(Decision)[count:]] == expected


def test_what_a_merged_user_got_after_the_survivor_had_withdrawn_is_named() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, "2", granted=True), says(START_MS + 1, "1", granted=False))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, "2"))
    world.pass_time(START_MS + DAY_MS)
    world.send(a_touchpoint("identity_linked", START_MS + DAY_MS, "1", properties={"previous_id": "2"}))
    late = world.emitted(Decision)[-1]
    assert (late.outcome, late.evidence["consent"]) == ("late_withdrawal", f"email@{START_MS + 1}")


def test_who_wants_one_promotion_a_week_gets_no_two() -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, at_most=1))
    for hour in range(0, 30 * 24, 7):
        world.send(a_touchpoint("product_viewed", START_MS + hour * HOUR_MS + 1))
        world.pass_time(START_MS + hour * HOUR_MS + HOUR_MS)
    times = [each.decided_ms for each in world.emitted(Trigger)]
    assert len(times) == 5
    assert all(later - one >= 7 * DAY_MS for one, later in pairwise(times))
    assert world.emitted(Decision)[-1].outcome == "capped"


def test_a_limit_that_comes_late_takes_back_the_second_message_on_the_way() -> None:
    best = {**NEWS, "send_time": "best"}
    world = a_world(best, {**best, "id": "more", "priority": 10})
    world.send(says(START_MS, granted=True), a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert len(mailed(world)) == 2
    world.send(says(START_MS + 3 * HOUR_MS, granted=True, at_most=1))
    assert len(mailed(world)) == 1


@pytest.mark.parametrize("default", ["denied", "granted"])
@pytest.mark.parametrize("is_linked_first", [True, False])
def test_a_limit_holds_for_all_who_have_the_address_and_grants_nothing(default: str, *, is_linked_first: bool) -> None:
    world = a_world(NEWS, consent_default=default)
    limit = says(START_MS + HOUR_MS, "1", granted=True, email_hash=A, at_most=1)
    others = [
        says(START_MS, "2", granted=True, email_hash=A),
        a_touchpoint("page_viewed", START_MS, "3", email_hash=A),
        says(START_MS, "4", granted=True, email_hash=B),
    ]
    for each in (*others, limit) if is_linked_first else (limit, *others):
        world.send(each, received_ms=START_MS + HOUR_MS)
    for number in range(3):
        for user in "1234":
            at_ms = START_MS + (2 + number) * HOUR_MS
            world.send(a_touchpoint("product_viewed", at_ms, user, email_hash=B if user == "4" else A))
            world.pass_time(at_ms + SETTLED_MS + 1)
    got = {user: len([each for each, _ in mailed(world) if each == f"u:{user}"]) for user in "1234"}
    assert got["1"] + got["2"] + got["3"] == 1
    assert got["4"] == 3
    world.send(says(START_MS + DAY_MS, "2", granted=True, email_hash=A))
    world.send(a_touchpoint("product_viewed", START_MS + DAY_MS + 1, "2"))
    world.pass_time(START_MS + 2 * DAY_MS)
    assert len([each for each, _ in mailed(world) if each == "u:2"]) == got["2"] + 1
    shown = {user: world.emitted(ProfileView, f"u:{user}")[-1].consent for user in "123"}
    assert shown == {"1": {"email": True}, "2": {"email": True}, "3": {}}


def test_a_limit_to_one_flow_holds_for_all_who_have_the_address() -> None:
    world = a_world(NEWS, {**NEWS, "id": "more"})
    world.send(says(START_MS, "2", granted=True, email_hash=A))
    world.send(says(START_MS + 1, "1", "all", granted=True, email_hash=A, only_flow="more"))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS, "2"))
    world.pass_time(START_MS + DAY_MS)
    assert (outcomes(world, "news"), outcomes(world, "more")) == (["entered", "no_consent"], ["entered", "sent"])


def test_who_wants_one_flow_alone_gets_no_other() -> None:
    world = a_world(NEWS, {**NEWS, "id": "more"})
    world.send(says(START_MS, granted=True, only_flow="more"), a_touchpoint("product_viewed", START_MS + 1))
    world.pass_time(START_MS + HOUR_MS)
    assert (outcomes(world, "news"), outcomes(world, "more")) == (["entered", "no_consent"], ["entered", "sent"])


@pytest.mark.parametrize("by_address", [True, False])
@pytest.mark.parametrize(
    ("reports", "proof", "goes"),
    [
        ([("email_bounced", {})], None, False),
        ([("email_bounced", {})], "email_opened", True),
        ([("email_bounced", {})], "order_completed", True),
        ([("email_bounced", {"bounce_type": "Soft"})] * 2, None, True),
        ([("email_bounced", {"bounce_type": "Soft"})] * 3, None, False),
        ([("email_unsubscribed", {"complaint": "spam"})], None, False),
        ([("email_unsubscribed", {"complaint": "spam"})], "email_opened", False),
        ([("email_unsubscribed", {"complaint": "spam"})], "consent_changed", True),
    ],
)
def test_an_address_is_suppressed_until_it_is_proven(
    reports: list[tuple[str, dict[str, str]]], proof: str | None, *, goes: bool, by_address: bool
) -> None:
    world = a_world(NEWS)
    world.send(says(START_MS, granted=True, email_hash=A))
    for number, (kind, properties) in enumerate(reports):
        user, at_ms = None if by_address else "1", START_MS + (number + 1) * HOUR_MS
        world.send(a_touchpoint(kind, at_ms, user, email_hash=A, properties=properties))
    at_ms = START_MS + DAY_MS
    if proof == "order_completed":
        world.send(an_order(at_ms))
    elif proof == "consent_changed":
        world.send(says(at_ms, granted=True, email_hash=A))
    elif proof is not None:
        world.send(a_touchpoint(proof, at_ms))
    world.send(a_touchpoint("product_viewed", START_MS + 400 * DAY_MS))
    world.pass_time(START_MS + 401 * DAY_MS)
    last = world.emitted(Decision)[-1]
    assert last.outcome == ("sent" if goes else "suppressed")
    assert goes or "address" in last.reason


@pytest.mark.parametrize("is_late", [True, False])
@pytest.mark.parametrize("kind", ["email_opened", "order_completed"])
def test_a_proof_of_one_address_proves_no_other(kind: str, *, is_late: bool) -> None:
    world = a_world(NEWS, consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, email_hash=B))
    bounced = a_touchpoint("email_bounced", START_MS + 2 * HOUR_MS, email_hash=B)
    at_ms = START_MS + 3 * HOUR_MS
    if kind == "email_opened":
        proof = a_touchpoint(kind, at_ms, email_hash=A)
    else:
        proof = an_order(at_ms, email_hash=A)
        world.send(a_touchpoint("page_viewed", at_ms + 1, email_hash=B))
    for each in (proof, bounced) if is_late else (bounced, proof):
        world.send(each, received_ms=at_ms)
    world.send(a_touchpoint("product_viewed", START_MS + 4 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == []
    profile = world.profile(f"e:{B}")
    assert profile is not None
    assert [(box.hard_ms > 0, box.proof_ms) for box in profile.mailboxes] == [(True, 0)]


@pytest.mark.parametrize("is_late", [True, False])
def test_a_proof_is_told_once_and_also_if_the_bounce_comes_in_late(*, is_late: bool) -> None:
    world = a_world(NEWS, consent_default="granted")
    users = [str(number) for number in range(20)]
    for user in users:
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    bounced = a_touchpoint("email_bounced", START_MS + HOUR_MS, None, email_hash=A)
    opened = [a_touchpoint("email_opened", START_MS + DAY_MS + number, user) for number, user in enumerate(users)]
    for each in (*opened, bounced) if is_late else (bounced, *opened):
        world.send(each, received_ms=START_MS + DAY_MS + HOUR_MS)
    records = 0
    for number, user in enumerate(users):
        for event in (
            a_touchpoint("email_opened", START_MS + 2 * DAY_MS + number, user),
            an_order(START_MS + 3 * DAY_MS + number, user=user),
        ):
            records += len(list(world.partition.send(event)))
    found = world.profile("u:3"), world.profile(f"e:{A}")
    assert all(each is not None and each.mailboxes[0].proof_ms >= START_MS + DAY_MS for each in found)
    assert records < 5 * 2 * len(users)
    world.send(a_touchpoint("product_viewed", START_MS + 4 * DAY_MS, "3"))
    world.pass_time(START_MS + 5 * DAY_MS)
    assert mailed(world) == [("u:3", "aa")]


@pytest.mark.parametrize("via", ["user", "device"])
@pytest.mark.parametrize("is_bad", [True, False])
def test_the_first_promotion_to_a_new_address_waits_for_what_the_address_knows(via: str, *, is_bad: bool) -> None:
    world = a_world(NEWS, consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, "old", email_hash=A))
    if is_bad:
        world.send(unsubscribes(START_MS + 1, "old", email_hash=A, properties={"complaint": "spam"}))
    if via == "device":
        world.send(a_touchpoint("page_viewed", START_MS + 2, None, anonymous_id="phone", email_hash=A))
    now_ms = START_MS + 2 * HOUR_MS
    world.pass_time(now_ms - 1_000)
    if via == "device":
        world.send(a_touchpoint("page_viewed", now_ms, "new", anonymous_id="phone"))
        world.send(a_touchpoint("product_viewed", now_ms + 1, "new"))
    else:
        world.send(a_touchpoint("product_viewed", now_ms + 1, "new", email_hash=A))
    assert mailed(world) == []
    world.pass_time(now_ms + SETTLED_MS + 1)
    assert mailed(world) == ([] if is_bad else [("u:new", "aa")])
    assert not world.emitted(Revocation)
    world.pass_time(now_ms + HOUR_MS - 1)
    world.send(a_touchpoint("product_viewed", now_ms + HOUR_MS, "new"))
    world.pass_time(now_ms + HOUR_MS + SETTLED_MS)
    assert len(mailed(world)) == 2 * (not is_bad)


def test_a_proof_of_one_profile_counts_for_the_others_of_the_address() -> None:
    world = a_world(NEWS, consent_default="granted")
    for user in "12":
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    world.send(a_touchpoint("email_bounced", START_MS + 1, None, email_hash=A))
    world.send(a_touchpoint("email_opened", START_MS + 2, "1"), a_touchpoint("product_viewed", START_MS + 3, "2"))
    world.pass_time(START_MS + DAY_MS)
    assert mailed(world) == [("u:2", "aa")]


def test_order_mail_goes_to_a_suppressed_address() -> None:
    world = a_world(THANKS)
    world.send(
        a_touchpoint("page_viewed", START_MS, email_hash=A), a_touchpoint("email_bounced", START_MS + 5, email_hash=A)
    )
    world.send(an_order(START_MS + 1), received_ms=START_MS + 6)
    assert len(mailed(world)) == 1


def test_what_earlier_rules_sent_counts_if_it_is_a_withdrawal() -> None:
    world = a_world()
    world.append("u:1", AddressConsent("all", granted=True, time_ms=START_MS, cause="event"))
    assert world.profile("u:1") is None
    world.send(a_touchpoint("page_viewed", START_MS))
    world.append("u:1", AddressConsent("all", granted=False, time_ms=START_MS, cause="event"))
    assert world.emitted(ProfileView, "u:1")[-1].consent == {"all": False}
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=A))
    world.append(f"e:{A}", AddressConsent("email", granted=False, time_ms=START_MS, cause="event"))
    assert world.emitted(ProfileView, "u:2")[-1].consent == {"email": False}


def test_a_profile_shows_consent_to_promotions_to_the_address_in_use() -> None:
    world = a_world()
    world.send(says(START_MS, granted=True, email_hash=A), says(START_MS + 1, granted=False, purpose="service"))
    assert world.emitted(ProfileView)[-1].consent == {"email": True}
    world.send(a_touchpoint("page_viewed", START_MS + 2, email_hash=B))
    assert world.emitted(ProfileView)[-1].consent == {}
    world.send(
        a_touchpoint("page_viewed", START_MS + 3, email_hash=A), says(START_MS + 4, channel="sms", granted=False)
    )
    assert world.emitted(ProfileView)[-1].consent == {"email": True, "sms": False}


def test_a_notice_belongs_in_no_journal_of_earlier_rules() -> None:
    notice = AddressNotice("withdrawn", A, START_MS, START_MS, "event")
    for rules, reason in ((1, "unexpected_type"), (3, "no_notice")):
        with pytest.raises(Rejected, match=reason):
            World(rules=rules).append("u:1", notice)


@pytest.mark.parametrize("limit", [{"purpose": "service"}, {"at_most": 1}, {"only_flow": "more"}])
def test_earlier_rules_do_not_take_a_grant_for_less_for_one_of_everything(limit: dict[str, Any]) -> None:
    world = World(rules=RULES_3, flows=(NEWS,), consent_default="denied")
    world.pass_time(START_MS - 1)
    world.send(says(START_MS, granted=True, **limit), a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.send(says(START_MS + 2 * HOUR_MS, granted=True), says(START_MS + 3 * HOUR_MS, granted=True, **limit))
    world.send(a_touchpoint("product_viewed", START_MS + 4 * HOUR_MS))
    world.send(says(START_MS + 5 * HOUR_MS, granted=False, purpose="service"))
    world.send(a_touchpoint("product_viewed", START_MS + 6 * HOUR_MS))
    assert outcomes(world, "news") == ["entered", "no_consent", "entered", "sent", "entered", "no_consent"]


@pytest.mark.parametrize("is_granted", [True, False])
def test_what_was_said_under_earlier_rules_goes_on_when_they_rise(*, is_granted: bool) -> None:
    world = World(rules=RULES_3, flows=(NEWS, THANKS), consent_default="denied")
    said = says(START_MS, granted=is_granted)
    world.send(a_touchpoint("page_viewed", START_MS - 1, email_hash=A), said)
    world.append("", Configured(world.settings.model_dump_json(), START_MS, RULES_4))
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS), an_order(START_MS + HOUR_MS + 1))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, email_hash=B))
    world.send(a_touchpoint("product_viewed", START_MS + 3 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert outcomes(world, "thanks") == ["entered", "sent"]
    assert outcomes(world, "news") == ["entered", "sent" if is_granted else "no_consent", "entered", "no_consent"]


def test_a_clock_that_is_taken_back_takes_back_what_was_said_ahead_of_it() -> None:
    ahead = says(START_MS + 9 * DAY_MS, granted=False, email_hash=A)
    world = a_world()
    world.send(ahead)
    profile = world.profile("u:1")
    assert profile is not None
    back = stepped_back("u:1", profile, START_MS)
    (said,) = back.consents
    assert (said.time_ms, said.received_ms, back.email_ms, back.mailboxes[0].last_ms) == (START_MS,) * 4
