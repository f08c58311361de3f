"""What profiles and an order's entry tell each other, and what becomes of an order that another profile owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import RULES, RULES_3, Configured, OrderOwned, OrderTold, ToldChange
from schemas.limits import CHANGES_OF_AN_ORDER_MAX
from schemas.outputs import Credit, ProfileView, Trigger
from schemas.touchpoint import PREVIOUS_ID, Consent, Order
from schemas.wire import encode
from streams.fold.moment import Rejected
from streams.fold.owning import ENTRY_KEPT_MS
from streams.fold.record import Record
from streams.profiles.claims import entry_key
from streams.profiles.effects import hash_64
from streams.profiles.links import HOPS_MAX, HOPS_OF_USERS_MAX
from streams.profiles.profile import CONVERSIONS_MAX, ORDERS_MAX
from tests.support.flows import a_bare_flow
from tests.support.world import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    World,
    a_refund,
    a_touchpoint,
    an_order,
)

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.profile import Profile

ADDRESS = "ab" * 32
ENTRY = entry_key(hash_64("7"))
OLD_MS = START_MS - 200 * DAY_MS
"""So old that no credit of it is open."""


def at(key: str, **fields: Any) -> dict[str, Any]:
    """Fields of an event that comes in under a key."""
    kind, name = key[:2], key[2:]
    return {"user": name if kind == "u:" else None, "anonymous_id": name if kind == "a:" else None, **fields}


def ordered(key: str, time_ms: int = START_MS, **fields: Any) -> Touchpoint:
    return an_order(time_ms, 5_000, order_id="7", **at(key, **fields))


def refunded(key: str, minor: int, time_ms: int = START_MS + HOUR_MS) -> Touchpoint:
    return a_refund(time_ms, "7", minor, **at(key))


def profile(world: World, key: str) -> Profile:
    found = world.profile(key)
    assert found is not None
    return found


def owners(world: World) -> list[str]:
    """Who has the order among their own."""
    return [key for key in ("u:1", "u:2", "a:d", "o:7") if (found := world.profile(key)) and found.orders]


def told(customer: str = "u:1", changes: tuple[ToldChange, ...] = (), **fields: Any) -> OrderTold:
    given: dict[str, Any] = {
        "order_id": "7",
        "moved_from": "",
        "event_id": "e",
        "is_completion": True,
        "is_server": False,
        "has_address": False,
        "time_ms": START_MS,
    }
    return OrderTold(customer=customer, changes=changes, **(given | fields))


COMPLETED = ToldChange(START_MS, 0, 5_000, 1, "")


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("owner", "other"),
    [
        (ordered("u:1"), ordered("a:d")),
        (ordered("u:1"), ordered("o:", email_hash=ADDRESS, source="api")),
        (ordered("o:", email_hash=ADDRESS), ordered("a:d")),
        (ordered("a:d"), ordered("o:")),
        (ordered("u:2", source="api", event_id="z"), ordered("u:1", source="web", event_id="a")),
        (ordered("u:2", source="web", event_id="a"), ordered("u:1", source="till", event_id="z")),
    ],
)
def test_an_order_counts_once_in_its_owner(owner: Touchpoint, other: Touchpoint, turn: int) -> None:
    world = World(server_sources=("api",))
    world.send(*(owner, other)[::turn], received_ms=START_MS + HOUR_MS)
    alone = World(server_sources=("api",))
    alone.send(owner)
    assert owners(world) == owners(alone)
    for name in ("orders", "revenue_minor", "new_customers", "guest_orders"):
        assert world.total(name) == alone.total(name)
    assert world.credit("customer", "model", "channel") == alone.credit("customer", "model", "channel")
    ids = [row.credit_id for row in world.emitted(Credit)]
    assert len(set(ids)) == len(ids)


def test_a_profile_that_loses_its_only_order_has_none_in_public() -> None:
    world = World()
    world.send(ordered("a:d"), ordered("u:1"))
    shown = world.emitted(ProfileView, "a:d")[-1]
    assert (shown.orders, shown.monetary_minor, shown.segment) == (0, 0, "none")
    assert world.total("customers_ordered") == 1


@pytest.mark.parametrize("turn", [1, -1])
def test_a_refund_under_another_key_reaches_the_owner(turn: int) -> None:
    world = World()
    world.send(*(ordered("u:1"), refunded("o:", 2_000))[::turn], received_ms=START_MS + DAY_MS)
    assert world.emitted(ProfileView, "u:1")[-1].monetary_minor == 3_000
    assert (world.total("refunds"), world.total("refunds_minor")) == (1, 2_000)
    assert world.credit("customer", model="last") == {("u:1",): 3_000}
    assert profile(world, "o:7").changes == ()


@pytest.mark.parametrize("turn", [1, -1])
def test_a_strangers_browser_takes_back_no_order_that_a_server_completed(turn: int) -> None:
    world = World(server_sources=("api",))
    fake = a_touchpoint("order_cancelled", START_MS + HOUR_MS, source="web", order=Order("7", "EUR", 0), **at("a:d"))
    world.send(*(ordered("u:1", source="api"), fake)[::turn], received_ms=START_MS + DAY_MS)
    assert (world.total("revenue_minor"), world.total("refunds"), world.total("refunds_minor")) == (5_000, 0, 0)
    assert (world.credit("customer", model="last"), profile(world, "a:d").changes) == ({("u:1",): 5_000}, ())


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("key", ["u:1", "u:2", "a:d"])
def test_the_servers_amount_and_time_of_an_order_hold(key: str, turn: int) -> None:
    world = World(server_sources=("api",))
    fake = an_order(START_MS - HOUR_MS, 1, order_id="7", source="web", event_id="0", **at(key))
    world.send(*(ordered("u:1", source="api"), fake)[::turn], received_ms=START_MS + DAY_MS)
    assert [(order.time_ms, order.total_minor) for order in profile(world, "u:1").orders] == [(START_MS, 5_000)]
    assert (world.total("revenue_minor"), world.credit(model="last")) == (5_000, {(): 5_000})
    assert owners(world) == ["u:1"]


@pytest.mark.parametrize("key", ["u:1", "a:d"])
def test_the_servers_amount_holds_in_the_ledger_too_where_the_credit_is_closed(key: str) -> None:
    world = World(server_sources=("api",))
    world.send(an_order(OLD_MS, 9_000, order_id="7", source="web", **at("u:1")), received_ms=START_MS)
    world.send(ordered(key, OLD_MS + HOUR_MS, source="api"), received_ms=START_MS)
    assert (owners(world), world.total("revenue_minor"), world.credit(model="last")) == (["u:1"], 5_000, {(): 5_000})
    ids = [row.credit_id for row in world.emitted(Credit)]
    assert len(set(ids)) == len(ids)


def test_refunds_of_nothing_hide_no_refund_from_a_later_owner() -> None:
    world = World(server_sources=("api",))
    world.send(ordered("o:", source="api"), replace(refunded("o:", 5_000), source="api"))
    for minutes in range(CHANGES_OF_AN_ORDER_MAX + 1):
        world.send(replace(refunded("a:d", 0, START_MS + DAY_MS + minutes * MINUTE_MS), source="web"))
    world.send(ordered("u:1", START_MS + 2 * DAY_MS, source="web"))
    assert (owners(world), world.total("refunds_minor"), world.credit()) == (["u:1"], 5_000, {})


def refunded_orders(count: int) -> list[Touchpoint]:
    """Later orders of the user 1 with a refund each."""
    times = [START_MS + DAY_MS + number * MINUTE_MS for number in range(count)]
    orders = [an_order(each, 100, order_id=f"later {each}", **at("u:1")) for each in times]
    return [*orders, *[a_refund(each, f"later {each}", 10, **at("u:1")) for each in times]]


def left(world: World, key: str) -> list[int]:
    """What is left of the order of 50.00, where a profile has it."""
    return [each.total_minor - each.refunded_minor for each in profile(world, key).orders if each.total_minor == 5_000]


@pytest.mark.parametrize("key", ["u:1", "o:"])
def test_a_refund_that_is_settled_is_taken_once_though_the_entry_knows_it_apart(key: str) -> None:
    world = World()
    world.send(ordered("u:1"), refunded("u:1", 3_000), *refunded_orders(ORDERS_MAX // 2 + 5))
    assert left(world, "u:1") == [2_000]
    later = START_MS + 3 * DAY_MS
    world.send(refunded(key, 500, later), refunded(key, 250, later + HOUR_MS))
    taken = world.total("refunds_minor") - 10 * (ORDERS_MAX // 2 + 5)
    assert (left(world, "u:1"), taken, world.credit("order_id", model="last")[("7",)]) == ([1_250], 3_750, 1_250)


def test_who_gets_an_order_gets_each_refund_once_though_another_settled_it() -> None:
    world = World()
    world.send(ordered("u:1"), refunded("u:1", 3_000), *refunded_orders(ORDERS_MAX // 2 + 5))
    world.send(refunded("u:1", 500, START_MS + 3 * DAY_MS), ordered("u:2", event_id="!"))
    assert (left(world, "u:1"), left(world, "u:2")) == ([], [1_500])
    assert world.credit("customer", "order_id", model="last")[("u:2", "7")] == 1_500


def test_what_earlier_rules_settled_and_a_refund_under_another_key_both_count() -> None:
    world = World()
    world.append("", Configured(world.settings.model_dump_json(), START_MS, 2))
    world.send(ordered("u:1"), refunded("u:1", 2_000))
    world.append("", Configured(world.settings.model_dump_json(), START_MS, RULES))
    world.send(refunded("o:", 500, START_MS + DAY_MS), refunded("u:1", 1_000, START_MS + 2 * DAY_MS))
    assert (left(world, "u:1"), world.total("refunds_minor")) == ([1_500], 3_500)


def test_what_a_browser_took_back_counts_where_no_server_completes_the_order() -> None:
    world = World(server_sources=("api",))
    world.send(ordered("u:1", source="web"), replace(refunded("a:d", 2_000), source="web"))
    assert (world.total("refunds_minor"), world.credit(model="last")) == (2_000, {(): 3_000})


def test_who_owns_it_again_has_it_credited_again() -> None:
    world = World(server_sources=("api",))
    click = a_touchpoint("ad_clicked", START_MS - HOUR_MS, channel="ads", **at("u:1"))
    world.send(click, ordered("u:1", source="web"), ordered("u:2", source="api", event_id="b"))
    assert (owners(world), world.credit("customer", model="last")) == (["u:2"], {("u:2",): 5_000})
    world.send(ordered("u:1", source="api", event_id="a"))
    assert (owners(world), world.credit("customer", "channel", model="last")) == (["u:1"], {("u:1", "ads"): 5_000})
    ids = [row.credit_id for row in world.emitted(Credit)]
    assert len(set(ids)) == len(ids)


def test_an_order_that_is_too_old_to_be_open_moves_whole() -> None:
    world, late_ms = World(), START_MS + 300 * DAY_MS
    for key in ("o:", "a:d", "u:1"):
        world.send(ordered(key), received_ms=late_ms)
        assert world.credit("model") == {("linear",): 5_000, ("last",): 5_000}
    world.send(refunded("o:", 2_000), received_ms=late_ms)
    assert world.credit("customer", "channel", model="last") == {
        ("u:1", "direct"): 5_000,
        ("u:1", "unattributed_refund"): -2_000,
    }
    ids = [row.credit_id for row in world.emitted(Credit)]
    assert len(set(ids)) == len(ids)


def test_the_user_of_a_device_takes_over_its_claim() -> None:
    world = World()
    world.send(ordered("a:d"), ordered("o:", email_hash=ADDRESS))
    assert owners(world) == ["o:7"]
    world.send(a_touchpoint("signed_up", START_MS + HOUR_MS, "1", anonymous_id="d"))
    assert owners(world) == ["u:1"]
    assert (world.total("orders"), world.total("guest_orders"), world.total("new_customers")) == (1, 0, 1)
    assert world.credit("customer", model="last") == {("u:1",): 5_000}


def test_an_answer_to_an_absorbed_device_is_for_its_user_but_does_not_go_round_for_ever() -> None:
    world = World()
    world.send(ordered("a:d"), a_touchpoint("signed_up", START_MS + HOUR_MS, "1", anonymous_id="d"))
    before = profile(world, "u:1")
    world.append("a:d", OrderOwned("7", "u:2", "late", hops=HOPS_MAX))
    world.append("a:d", OrderOwned("7", "u:2", "late"))
    assert profile(world, "u:1").orders == before.orders


def joined_users(time_ms: int = START_MS + HOUR_MS) -> Touchpoint:
    return a_touchpoint("identity_linked", time_ms, "1", properties={PREVIOUS_ID: "2"})


@pytest.mark.parametrize("winner", ["1", "2"])
def test_the_survivor_of_two_users_takes_over_the_claims_of_both(winner: str) -> None:
    world = World()
    for user in ("1", "2"):
        world.send(ordered(f"u:{user}", event_id="a" if user == winner else "b"))
    assert owners(world) == [f"u:{winner}"]
    world.send(joined_users(), refunded("o:", 2_000))
    entry = profile(world, ENTRY).order_entry
    assert entry is not None
    assert (entry.claims[0].customer, entry.claims[0].event_id) == ("u:1", "a")
    assert (owners(world), world.total("orders"), world.total("refunds_minor")) == (["u:1"], 1, 2_000)
    assert world.credit("order_id", model="last") == {("7",): 3_000}


def test_a_refund_of_an_old_order_of_a_merged_user_reaches_the_survivor() -> None:
    world, late_ms = World(), START_MS + 100 * DAY_MS
    world.send(ordered("u:2"))
    world.pass_time(late_ms)
    world.send(joined_users(late_ms), refunded("o:", 2_000, late_ms + HOUR_MS))
    assert (owners(world), world.total("refunds_minor")) == (["u:1"], 2_000)
    assert world.credit("customer", model="linear") == {("u:1",): 3_000}


@pytest.mark.parametrize("order_ms", [START_MS, OLD_MS])
def test_an_order_whose_credit_is_closed_stays_with_who_absorbs_it(order_ms: int) -> None:
    world = World()
    world.send(ordered("u:1", order_ms, event_id="b"), ordered("u:2", order_ms, event_id="a"), received_ms=START_MS)
    if order_ms == START_MS:
        # only the newest orders of a profile are open
        world.send(*[an_order(START_MS + each, 1, **at("u:2")) for each in range(1, CONVERSIONS_MAX + 2)])
    before = world.total("revenue_minor")
    world.send(joined_users(), ordered("u:1", order_ms), received_ms=START_MS + HOUR_MS)
    assert (owners(world), world.total("revenue_minor")) == (["u:1"], before)
    world.send(refunded("o:", 2_000, START_MS + 2 * HOUR_MS), received_ms=START_MS + 2 * HOUR_MS)
    assert (world.total("refunds_minor"), world.credit("order_id", model="last")[("7",)]) == (2_000, 3_000)


def test_an_order_whose_credit_is_closed_does_not_come_back_to_a_device_after_a_logout() -> None:
    world = World()
    world.send(ordered("a:d", OLD_MS), received_ms=START_MS)
    world.send(a_touchpoint("signed_up", START_MS + HOUR_MS, "1", anonymous_id="d"))
    world.send(a_touchpoint("identity_unlinked", START_MS + 2 * HOUR_MS, None, anonymous_id="d"))
    world.send(refunded("a:d", 1_000, START_MS + 3 * HOUR_MS))
    assert (owners(world), world.total("orders"), world.total("refunds_minor")) == (["u:1"], 1, 1_000)


@pytest.mark.parametrize("refunding", ["u:1", "u:2"])
@pytest.mark.parametrize("winner", ["1", "2"])
@pytest.mark.parametrize("survivor", ["1", "2"])
def test_the_ledger_has_an_order_once_whose_credit_one_of_two_users_has_closed(
    survivor: str, winner: str, refunding: str
) -> None:
    world, late_ms = World(), START_MS + 190 * DAY_MS
    for user in ("1", "2"):
        world.send(ordered(f"u:{user}", event_id="a" if user == winner else "b"))
    world.send(refunded(refunding, 1_000))
    world.pass_time(late_ms)
    previous = "2" if survivor == "1" else "1"
    world.send(*[a_touchpoint("page_viewed", late_ms, user) for user in ("1", "2")])
    world.send(a_touchpoint("identity_linked", late_ms, survivor, properties={PREVIOUS_ID: previous}))
    assert (world.total("revenue_minor"), world.total("refunds_minor")) == (5_000, 1_000)
    assert world.credit("order_id", model="last") == {("7",): 4_000}


def test_nobody_is_answered_about_an_order_until_its_id_is_known() -> None:
    world = World()
    id_hash = hash_64("7")
    for source, user in (("a:1", "u:1"), ("a:2", "u:2")):
        moved = told(user, (COMPLETED,), moved_from=source, event_id="", is_completion=False, order_id="")
        moved = replace(moved, order_hash=id_hash)
        assert world.fold(Record(ENTRY, moved, encode(moved), 0, 0)).journal == []
    event = told("u:1", (COMPLETED,))
    ((key, answer, _),) = world.fold(Record(ENTRY, event, encode(event), 0, 0)).journal
    assert (key, answer) == ("u:2", OrderOwned("7", "u:1", "owner:e"))


def test_an_answer_to_a_merged_user_goes_on_further_than_one_to_a_device() -> None:
    world = World()
    world.send(ordered("u:2"), joined_users())
    user, device = OrderOwned("7", "u:3", "late", hops=HOPS_MAX), OrderOwned("7", "u:3", "late", hops=HOPS_OF_USERS_MAX)
    sent = [world.fold(Record("u:2", each, encode(each), 0, 0)).journal for each in (user, device)]
    assert [[key for key, _, _ in records] for records in sent] == [[ENTRY], []]


def test_who_only_gets_a_claim_later_is_not_refused() -> None:
    """What a merged user had is still on its way to the survivor, and a refusal would meet it there."""
    world = World()
    world.append(ENTRY, told("u:2", (COMPLETED,)))
    moved = told("u:1", moved_from="u:3", event_id="", is_completion=False)
    assert world.fold(Record(ENTRY, moved, encode(moved), 0, 0)).journal == []


def test_a_device_that_was_an_owner_lets_go_of_what_meets_it_after_a_logout() -> None:
    world = World()
    world.append(ENTRY, told("a:d", (COMPLETED,)))
    moved = told("u:1", (COMPLETED,), moved_from="a:d", event_id="", is_completion=False)
    ((key, answer, _),) = world.fold(Record(ENTRY, moved, encode(moved), 0, 0)).journal
    assert (key, answer) == ("a:d", OrderOwned("7", "u:1", "owner:a:d"))


def test_an_owner_that_was_refused_once_gets_all_that_is_known_each_time() -> None:
    """The refusal may reach the profile after it has sent what it knows."""
    world = World()

    def answered(record: OrderTold) -> list[str]:
        effects = world.fold(Record(ENTRY, record, encode(record), 0, 0))
        assert all(isinstance(answer, OrderOwned) for _, answer, _ in effects.journal)
        return [key or "" for key, _, _ in effects.journal]

    assert answered(told("u:1", (COMPLETED,), event_id="b")) == []
    assert answered(told("u:2", (COMPLETED,), event_id="a")) == ["u:1", "u:2"]
    assert answered(told("u:2", (COMPLETED,), event_id="a")) == []
    assert answered(told("u:1", (COMPLETED,), event_id="0")) == ["u:2", "u:1"]
    assert answered(told("u:1", (COMPLETED,), event_id="0")) == ["u:1"]


def test_an_entry_is_forgotten_180_days_after_its_last_event() -> None:
    world = World()
    world.send(ordered("u:1"), refunded("u:1", 100, START_MS + DAY_MS))
    assert world.profile(ENTRY) is not None
    world.pass_time(START_MS + DAY_MS + ENTRY_KEPT_MS - MINUTE_MS)
    assert world.profile(ENTRY) is not None
    world.pass_time(START_MS + 2 * DAY_MS + ENTRY_KEPT_MS)
    assert world.profile(ENTRY) is None
    world.append("o:7", OrderOwned("7", "o:7", "late", (COMPLETED,)))
    assert (world.profile("o:7"), world.total("orders")) == (None, 1)


def test_one_id_in_two_shops_is_two_orders_and_customers_read_it_as_it_is() -> None:
    review = a_bare_flow("review", "order_completed", exits=[], products="order", wait={"for": "1h"})
    world = World(flows=(review,), shops={"till": "berlin"}, consent_default="granted")
    world.send(ordered("u:1", source="web", email_hash=ADDRESS), ordered("u:1", START_MS + MINUTE_MS, source="till"))
    world.pass_time(START_MS + DAY_MS)
    assert (world.total("orders"), len(profile(world, "u:1").orders)) == (2, 2)
    assert world.credit("order_id", model="last") == {("7",): 5_000, ("berlin/7",): 5_000}
    assert {trigger.facts["order_id"] for trigger in world.emitted(Trigger)} == {"7"}


def test_events_of_two_sources_may_have_one_id() -> None:
    world = World()
    world.send(
        a_touchpoint("page_viewed", START_MS, event_id="1001", source="web"),
        ordered("u:1", event_id="1001", source="pos"),
        ordered("u:1", event_id="1001", source="pos"),
    )
    assert (world.total("orders"), world.total("duplicates")) == (1, 1)


def test_what_came_in_before_the_rules_rose_is_a_repeat_for_a_week() -> None:
    world = World(rules=RULES_3)
    consent = Consent("email", granted=True)
    event = a_touchpoint("consent_changed", START_MS, event_id="1001", source="web", consent=consent)
    world.send(event)
    world.append("", Configured(world.settings.model_dump_json(), 0, RULES))
    world.send(event)
    assert world.total("duplicates") == 1
    world.send(a_touchpoint("page_viewed", START_MS + 8 * DAY_MS, event_id="1001", source="pos"))
    assert world.total("duplicates") == 1


def test_by_earlier_rules_nothing_is_told_nor_kept() -> None:
    world = World(rules=RULES_3)
    world.send(ordered("a:d"), ordered("u:1"))
    world.append(ENTRY, told(changes=(COMPLETED,)))
    world.append("u:1", OrderOwned("7", "u:2", "cause"))
    assert (world.profile(ENTRY), owners(world), world.total("orders")) == (None, ["u:1", "a:d"], 2)


@pytest.mark.parametrize(
    ("key", "record", "reason"),
    [
        ("u:1", told(), "bad_key"),
        (ENTRY, told("x"), "bad_key"),
        (ENTRY, told(moved_from="x"), "bad_key"),
        (ENTRY, told(event_id="e" * 600), "bad_order"),
        (ENTRY, told(order_id="7" * 600), "bad_order"),
        (ENTRY, told(order_id=""), "bad_order"),
        (ENTRY, told(order_hash=1), "bad_order"),
        (ENTRY, told(changes=(COMPLETED,) * (CHANGES_OF_AN_ORDER_MAX + 1)), "bad_order"),
        (ENTRY, told(changes=(ToldChange(START_MS, 0, -1, 1, ""),)), "bad_order"),
        (ENTRY, told(changes=(ToldChange(0, 0, 1, 1, ""),)), "bad_order"),
        (ENTRY, told(changes=(ToldChange(START_MS, 0, 1, 9, ""),)), "bad_order"),
        (ENTRY, told(changes=(ToldChange(START_MS, 0, 1, 1, "EURO"),)), "bad_order"),
        ("u:1", OrderOwned("7", "x", "cause"), "bad_key"),
        ("u:1", OrderOwned("7", "u:1", "c" * 3_000), "bad_key"),
        ("u:1", OrderOwned("", "u:1", "cause"), "bad_order"),
    ],
)
def test_what_we_would_not_write_is_refused(key: str, record: OrderTold | OrderOwned, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        World().append(key, record)


def test_an_order_whose_completion_nobody_reported_is_one_refund_after_a_login() -> None:
    world = World()
    world.send(refunded("a:d", 500), refunded("u:1", 700, START_MS + 2 * HOUR_MS))
    world.send(a_touchpoint("signed_up", START_MS + DAY_MS, "1", anonymous_id="d"))
    assert world.credit("channel", model="last") == {("unattributed_refund",): -1_200}
    world.send(ordered("u:1"), received_ms=START_MS + 2 * DAY_MS)
    assert world.credit("channel", model="last") == {("direct",): 3_800}
