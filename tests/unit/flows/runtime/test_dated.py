"""Entry by a date: at the time that follows from a customer's orders, even if it moves until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.journal import Configured, Unparked
from schemas.outputs import Decision, Trigger
from streams.flows.language.conflicts import conflicts
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError, parse_flow
from streams.flows.language.publishing import with_flow
from streams.flows.runtime.dated import on_date
from streams.fold import timers
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_refund, an_order

if TYPE_CHECKING:
    from streams.profiles.profile import Profile


def by_date(date: str = "next_order", before: str = "2d", **changes: Any) -> dict[str, Any]:
    """Two days before the next order that is to be expected, unless said otherwise."""
    return a_flow(**{"entry": {"date": date, "before": before}, "needs": {}, "wait": {}} | changes)


def after_last(days: int, **changes: Any) -> dict[str, Any]:
    return by_date(entry={"date": "last_order", "after": f"{days}d"}, **changes)


def ordered(world: World, *days: int, user: str = "1") -> None:
    for day in days:
        world.send(an_order(START_MS + day * DAY_MS, user=user, order_id=f"o-{day}"))


def sent_days(world: World) -> list[float]:
    return [(sent.due_ms - START_MS) / DAY_MS for sent in world.emitted(Trigger)]


def test_a_customer_enters_at_the_very_time_that_their_orders_foresee() -> None:
    world = World(flows=[by_date()])
    ordered(world, 0, 10)
    world.pass_time(START_MS + 18 * DAY_MS - 1)
    assert world.emitted(Decision) == []
    world.pass_time(START_MS + 18 * DAY_MS)
    entered, sent = world.emitted(Decision)
    assert (entered.outcome, sent.outcome) == ("entered", "sent")
    assert entered.reason == "The time 2d before next_order started the flow for this customer."
    assert entered.evidence == {
        "event": "2d before next_order",
        "event_time_ms": str(START_MS + 18 * DAY_MS),
        "due_ms": str(START_MS + 18 * DAY_MS),
    }
    assert entered.cause == f"timer:date:abandoned_cart:{START_MS + 18 * DAY_MS}"
    assert sent.reason.startswith("The message was due 2d before next_order, and nothing had ended the flow")
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [18]


def test_a_customers_next_record_lets_them_in_first_as_time_would_have() -> None:
    world = World(flows=[by_date()])
    ordered(world, 0, 10, 19)
    assert [(item.outcome, item.time_ms) for item in world.emitted(Decision)] == [
        ("entered", START_MS + 18 * DAY_MS),
        ("sent", START_MS + 18 * DAY_MS),
    ]


def test_another_order_moves_the_time_and_the_old_one_is_void() -> None:
    world = World(flows=[by_date()])
    ordered(world, 0, 10, 14)
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [19]


def test_a_refund_moves_it_back() -> None:
    world = World(flows=[by_date()])
    ordered(world, 0, 10, 14)
    world.send(a_refund(START_MS + 15 * DAY_MS, "o-14", 4_200))
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [18]


def test_an_order_during_the_flow_ends_it_and_foresees_the_next_time() -> None:
    world = World(flows=[by_date(wait={"for": "1d"})])
    ordered(world, 0, 10)
    ordered(world, 18)
    world.send(an_order(START_MS + 18 * DAY_MS + HOUR_MS, order_id="late"))
    world.pass_time(START_MS + 20 * DAY_MS)
    assert [item.outcome for item in world.emitted(Decision)] == ["entered", "exited"]
    (timer,) = world.profile("u:1").entry_timers  # type: ignore[union-attr]
    assert timer == ("abandoned_cart", START_MS + 18 * DAY_MS + HOUR_MS + (18 * DAY_MS + HOUR_MS) // 3 - 2 * DAY_MS)


def test_a_condition_is_asked_when_the_time_has_come() -> None:
    twice = {"date": "last_order", "after": "30d", "condition": {"field": "orders", "within": "35d", "at_least": 2}}
    world = World(flows=[by_date(entry=twice)])
    ordered(world, 0, 1, user="rare")
    ordered(world, 0, 8, user="often")
    world.pass_time(START_MS + 100 * DAY_MS)
    assert [sent.customer for sent in world.emitted(Trigger)] == ["u:rare"]


def test_a_time_that_has_passed_when_it_is_known_starts_nothing() -> None:
    """A year of history that is imported, or orders so dense that the time before the next is before the last."""
    world = World(flows=[after_last(30)])
    world.send(an_order(START_MS - 365 * DAY_MS), received_ms=START_MS)
    world.pass_time(START_MS + 100 * DAY_MS)
    assert world.emitted(Decision) == []
    dense = World(flows=[by_date()])
    ordered(dense, 0, 1)
    dense.pass_time(START_MS + 100 * DAY_MS)
    assert dense.emitted(Decision) == []


def test_of_history_the_times_still_to_come_count() -> None:
    world = World(flows=[after_last(400)])
    world.send(an_order(START_MS - 365 * DAY_MS), received_ms=START_MS)
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [35]


def republished(world: World, flow: dict[str, Any], percent: float | None = None) -> None:
    world.settings = with_flow(world.settings, flow, START_MS, percent)
    world.append("", Configured(world.settings.model_dump_json(), 0))


def test_a_customer_who_ordered_before_a_flow_was_published_enters_it_without_doing_anything() -> None:
    world = World()
    ordered(world, 0)
    republished(world, after_last(30))
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [30]


@pytest.mark.parametrize(("days", "expected"), [(40, [40]), (20, [20]), (3, [])])
def test_the_time_of_the_version_in_force_counts(days: int, expected: list[int]) -> None:
    """Day 3 has passed when version 2 is published."""
    world = World(flows=[after_last(30)])
    ordered(world, 0)
    world.pass_time(START_MS + 5 * DAY_MS)
    republished(world, after_last(days, version=2))
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == expected


def test_a_flow_that_is_gone_lets_no_one_in() -> None:
    world = World(flows=[after_last(30)])
    ordered(world, 0)
    bare = world.settings.model_copy(update={"flows": ()})
    world.append("", Configured(bare.model_dump_json(), 0))
    world.pass_time(START_MS + 100 * DAY_MS)
    assert world.emitted(Decision) == []
    assert world.profile("u:1").entry_timers == ()  # type: ignore[union-attr]


def test_a_customer_enters_their_own_version_at_its_time() -> None:
    users = [str(number) for number in range(20)]
    world = World(flows=[after_last(30)])
    republished(world, after_last(40, version=2), 50)
    for user in users:
        world.send(an_order(START_MS, user=user))
    world.pass_time(START_MS + 100 * DAY_MS)
    versions = {sent.customer: (sent.flow_version, sent.due_ms - START_MS) for sent in world.emitted(Trigger)}
    assert len(versions) == len(users) == len(world.emitted(Trigger))
    assert set(versions.values()) == {(1, 30 * DAY_MS), (2, 40 * DAY_MS)}


def test_a_shadow_has_a_time_of_its_own() -> None:
    world = World(flows=[after_last(30)])
    republished(world, after_last(20, version=2), 0)
    ordered(world, 0)
    world.pass_time(START_MS + 100 * DAY_MS)
    final = [(item.outcome, (item.time_ms - START_MS) // DAY_MS) for item in world.emitted(Decision) if item.final]
    assert final == [("shadow", 20), ("sent", 30)]


def test_flows_that_are_due_at_once_are_all_entered() -> None:
    world = World(flows=[after_last(30, id=name) for name in ("one", "two", "three")])
    ordered(world, 0)
    world.pass_time(START_MS + 30 * DAY_MS)
    assert sorted(item.flow_id for item in world.emitted(Decision) if item.outcome == "entered") == [
        "one",
        "three",
        "two",
    ]


def test_what_a_device_ordered_moves_the_time_of_its_user() -> None:
    world = World(flows=[after_last(30)])
    ordered(world, 0)
    world.send(an_order(START_MS + 5 * DAY_MS, user=None, anonymous_id="phone"))
    world.send(an_order(START_MS + 9 * DAY_MS, anonymous_id="phone"))
    world.pass_time(START_MS + 100 * DAY_MS)
    assert sent_days(world) == [39]
    assert {sent.customer for sent in world.emitted(Trigger)} == {"u:1"}


def raising(*_: object, **__: object) -> Profile:
    raise ZeroDivisionError("the release has a bug")


@pytest.mark.interpreted
@pytest.mark.parametrize(("late_ms", "outcome"), [(DAY_MS, "entered"), (DAY_MS + 1, "too_old")])
def test_a_time_that_a_fault_kept_back_for_longer_than_a_day_starts_nothing(
    late_ms: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(flows=[after_last(30)])
    ordered(world, 0)
    monkeypatch.setattr(timers, "on_date", raising)
    world.pass_time(START_MS + 30 * DAY_MS + late_ms)
    monkeypatch.setattr(timers, "on_date", on_date)
    assert world.emitted(Decision) == []
    world.append("u:1", Unparked("date:abandoned_cart"))
    assert world.emitted(Decision)[0].outcome == outcome


def test_a_step_too_may_wait_until_so_long_after_a_date() -> None:
    wait = {"name": "later", "do": "wait_for_date", "field": "first_order", "after": "365d"}
    world = World(
        flows=[
            a_flow(
                entry={"event": "order_completed"},
                needs={},
                wait={},
                exits=[],
                steps=[wait, {"name": "year", "do": "trigger"}],
            )
        ]
    )
    ordered(world, 0, 7)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert sent_days(world) == [365]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"date": "birthday"}, r"entry\.date is 'birthday': Input should be 'first_order', 'last_order' or .*"),
        (
            {"date": "next_order", "in": "2d"},
            r"entry\.in is '2d': there is no such field; the fields here are event, segment, date, .*",
        ),
        ({"date": "next_order", "before": "soon"}, r"entry\.before is 'soon': write a whole number and .*"),
        ({"date": "next_order", "before": "2d", "after": "2d"}, r"entry is .*: before and after are both given; .*"),
        ({"date": "last_order"}, r"entry is .*: last_order is always in the past; give after, .*"),
        ({"date": "first_order", "before": "2d"}, r"entry is .*: first_order is always in the past; .*"),
        ({"event": "signed_up", "after": "2d"}, r"entry is .*: before and after need a date, but the entry has none"),
        (
            {"event": "signed_up", "date": "next_order"},
            r"entry is .*: an entry needs exactly one of event, segment and date",
        ),
        (
            {"date": "next_order", "condition": {"field": "event.country", "is": ["NO"]}},
            r"entry is .*: event\.country needs an event; .*",
        ),
    ],
)
def test_a_date_that_is_none_or_never_comes_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([by_date(entry=entry)])


def test_a_step_does_not_wait_for_what_has_been() -> None:
    step = {"name": "a", "do": "wait_for_date", "field": "last_order"}
    with pytest.raises(FlowError, match=r"^flows\[0\]: steps\[0\] is .*: last_order is always in the past; "):
        compile_flows([a_flow(steps=[step, {"name": "b", "do": "trigger"}])])


def test_flows_entered_around_the_same_date_are_told_when_they_promote_within_a_day() -> None:
    def reasons(*flows: dict[str, Any]) -> list[str]:
        return [str(found) for found in conflicts([parse_flow(flow, "flow") for flow in flows])]

    rare, often = ({"field": "orders", "at_most": 3}, {"field": "orders", "at_least": 3})
    one = by_date(id="one", entry={"date": "next_order", "before": "2d", "condition": rare})
    near = by_date(id="near", entry={"date": "next_order", "before": "36h", "condition": often})
    far = by_date(id="far", entry={"date": "next_order", "after": "2d", "condition": often})
    (both,) = reasons(near, one)
    assert both.startswith("near, one: the date next_order can start both for one customer, and reminder comes 12h ")
    assert reasons(far, one) == []
