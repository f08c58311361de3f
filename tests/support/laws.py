"""Laws of flows, each written once: tests run them on worlds of their own."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from schemas.outputs import Decision
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.runtime.hours import next_quiet_ms, quiet_until_ms
from streams.profiles.zones import zone_of
from tests.support.flow_sets import ZONE, goes_ms
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.profiles.profile import Run
    from tests.support.histories import Shop, Thing

law = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def no_window_holds_more_than_the_widest_caps_allow(shop: Shop) -> None:
    caps = [flow.caps for flow in shop.flows.values() if flow.is_promotional]
    for customer in shop.customers:
        sent = shop.sent(customer, is_promotional=True)
        for first in sent:
            after_ms = [(goes_ms(other) - goes_ms(first), other.channel) for other in sent]
            week = [channel for ms, channel in after_ms if 0 <= ms < 7 * DAY_MS]
            assert len(week) <= max(cap.per_week for cap in caps)
            hours = min(cap.per_channel_hours for cap in caps)
            near = [channel for ms, channel in after_ms if 0 <= ms < hours * HOUR_MS]
            assert all(count == 1 for count in Counter(near).values())


def no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(shop: Shop) -> None:
    zone = zone_of(ZONE, "UTC")
    for sent in shop.sent(is_promotional=True):
        hours = shop.flows[sent.flow_id].quiet_hours
        if hours is not None:
            assert quiet_until_ms(hours, goes_ms(sent), zone) is None
            assert goes_ms(sent) <= sent.expires_ms <= next_quiet_ms(hours, goes_ms(sent), zone)


def every_candidate_is_final_once_or_open(
    decisions: Collection[Decision], runs: Collection[Run], counted_open: int
) -> None:
    """`counted_open` is the fact decisions_open, over all hours."""
    entered = Counter(item.candidate_id for item in decisions if item.outcome in {"entered", "too_old"})
    final = Counter(item.candidate_id for item in decisions if item.final)
    assert set(entered.values()) <= {1}
    assert entered == final + Counter(run.candidate_id for run in runs)
    assert {item.candidate_id for item in decisions} == set(entered)
    assert counted_open == len(runs)


def every_candidate_of_a_shop_is_final_once_or_open(shop: Shop) -> None:
    world = shop.world
    runs = [run for customer in shop.customers for run in world.profile(customer).runs]  # type: ignore[union-attr]
    every_candidate_is_final_once_or_open(world.emitted(Decision), runs, world.total("decisions_open"))
    assert len({(run.flow_id, run.cause) for run in runs}) == len(runs)
    assert all(run.step in {step.name for step in shop.flows[run.flow_id].steps} for run in runs)
    assert world.total("candidates_unaccounted") == 0


def a_customer_is_in_one_arm_of_a_flow_and_gets_nothing_if_held_out(shop: Shop) -> None:
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in shop.world.emitted(Decision):
        arms[item.customer, item.flow_id].add(item.arm)
    assert all(len(each) == 1 for each in arms.values())
    for sent in shop.sent():
        assert arms[sent.customer, sent.flow_id] == {sent.arm}
        assert sent.arm != "holdout"


def what_is_due_later_is_taken_back_by_what_ends_its_flow(shop: Shop, history: Iterable[Thing]) -> None:
    now_ms = START_MS
    for thing in history:
        now_ms += thing.later_ms
        for sent in shop.sent(f"u:{thing.user}"):
            if thing.kind in shop.flows[sent.flow_id].exit_events and now_ms - thing.late_ms > sent.decided_ms:
                assert not sent.decided_ms <= now_ms < goes_ms(sent)
