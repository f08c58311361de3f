"""Conflicts within and between flows that nobody wants, found by lint before customers meet them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.conditions import NumberIs, TextIs, required
from streams.flows.language.durations import duration_text
from streams.flows.language.fields import LAST_ORDER
from streams.flows.language.steps import TriggerStep, WaitForDateStep, WaitStep, WaitUntilStep, next_names
from streams.profiles.segments import ABSENT_SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.flows.language.conditions import Condition
    from streams.flows.language.events import Channel, EventType
    from streams.flows.language.flow import Flow

Kind = Literal[
    "same_audience", "within_a_day", "opposed_exits", "cycle", "always_capped", "quiet_wait", "no_cap", "no_floor"
]

_ANSWERS: dict[Channel, frozenset[EventType]] = {
    "email": frozenset({"email_delivered", "email_opened", "email_clicked", "email_bounced", "email_unsubscribed"}),
    "sms": frozenset({"sms_delivered", "sms_clicked"}),
    "push": frozenset({"push_opened"}),
}
"""Touchpoints that answer a message by the channel."""
_FLOW_ID = "event.message.flow_id"


class Conflict(NamedTuple):
    """A conflict between flows, or within one, and why nobody would want it."""

    kind: Kind
    flows: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{', '.join(self.flows)}: {self.reason} ({self.kind})"


def conflicts(flows: Sequence[Flow]) -> list[Conflict]:
    """Return all conflicts: flow by flow, then pair by pair, then cycles."""
    ordered = sorted(flows, key=lambda flow: flow.id)
    found = [conflict for flow in ordered for conflict in _in_itself(flow)]
    found += [conflict for one, other in combinations(ordered, 2) for conflict in _between(one, other)]
    return [*found, *_cycles(ordered)]


def _in_itself(flow: Flow) -> Iterator[Conflict]:
    absent = [name for name in flow.entry.segment or () if name in ABSENT_SEGMENTS]
    if absent and not flow.entry.floor_ms:
        reason = (
            f"the segment {absent[0]} says who is away longer than most, which may be days: let the entry's condition "
            f"ask for {LAST_ORDER} of at_least some days"
        )
        yield Conflict("no_floor", (flow.id,), reason)
    if not flow.is_promotional:
        if "caps" in flow.model_fields_set:
            yield Conflict("no_cap", (flow.id,), "it is transactional, so its caps have no effect")
        return
    quiet = flow.quiet_hours
    for step in flow.steps:
        if isinstance(step, WaitUntilStep) and quiet is not None and quiet.holds(step.time):
            yield Conflict(
                "quiet_wait", (flow.id,), f"the step {step.name} waits for a time within the flow's quiet hours"
            )
    cap_ms = flow.caps.per_channel_hours * HOUR_MS
    for name, since_ms in _since_last_message(flow).items():
        if since_ms < cap_ms and len(flow.ordered_channels) == 1:
            reason = (
                f"the message {name} comes {duration_text(since_ms)} after the one before it, "
                f"but the cap is one in {flow.caps.per_channel_hours} h"
            )
            yield Conflict("always_capped", (flow.id,), reason)


def _between(one: Flow, other: Flow) -> Iterator[Conflict]:
    both = one.id, other.id
    if one.entry.event in other.exit_events and other.entry.event in one.exit_events:
        reason = f"{one.entry.event} starts {one.id} and ends {other.id}, but {other.entry.event} does the opposite"
        yield Conflict("opposed_exits", both, reason)
    entry = _common_entry(one, other)
    if entry is None or _are_apart(one.entry.condition, other.entry.condition):
        return
    if one.entry.condition == other.entry.condition and one.message_class == other.message_class:
        yield Conflict("same_audience", both, f"{entry} starts both, for the same customers")
    if not (one.is_promotional and other.is_promotional):
        return
    for step, at_ms in _offsets(one):
        for another, also_ms in _offsets(other):
            if abs(at_ms - also_ms) < DAY_MS:
                reason = (
                    f"{entry} can start both for one customer, and {step} comes {duration_text(abs(at_ms - also_ms))} "
                    f"{'before' if at_ms < also_ms else 'after'} {another}: two promotional messages within a day"
                )
                yield Conflict("within_a_day", both, reason)
                return


def _common_entry(one: Flow, other: Flow) -> str | None:
    if one.entry.event is not None:
        return one.entry.event if one.entry.event == other.entry.event else None
    if one.entry.date is not None:
        return f"the date {one.entry.date}" if one.entry.date == other.entry.date else None
    shared = [name for name in one.entry.segment or () if name in (other.entry.segment or ())]
    return f"the segment {shared[0]}" if shared else None


def _are_apart(one: Condition | None, other: Condition | None) -> bool:
    """Return whether certainly no customer can meet both conditions."""
    return any(_excludes(a, b) for a in required(one) for b in required(other))


def _excludes(one: Condition, other: Condition) -> bool:
    if isinstance(one, NumberIs) and isinstance(other, NumberIs) and one.field == other.field:
        return _is_above(one, other) or _is_above(other, one)
    if isinstance(one, TextIs) and isinstance(other, TextIs) and one.field == other.field:
        # each of several products may meet another condition
        return not one.field.startswith("event.products.") and set(one.one_of).isdisjoint(other.one_of)
    return False


def _is_above(one: NumberIs, other: NumberIs) -> bool:
    return one.at_least is not None and other.at_most is not None and one.at_least > other.at_most


def _offsets(flow: Flow) -> list[tuple[str, int]]:
    """Return messages at a fixed time after the entry (before a date, if negative), by the first way to each."""
    at_ms: dict[str, int] = {flow.steps[0].name: flow.entry.shift_ms + flow.wait.for_ms}
    found = []
    for index, step in enumerate(flow.steps):
        if step.name not in at_ms:
            continue
        if isinstance(step, TriggerStep):
            found.append((step.name, at_ms[step.name]))
        elif isinstance(step, WaitUntilStep | WaitForDateStep):
            continue
        after_ms = at_ms[step.name] + (step.for_ms if isinstance(step, WaitStep) else 0)
        for name in next_names(flow.steps, index):
            at_ms.setdefault(name, after_ms)
    return found


def _since_last_message(flow: Flow) -> dict[str, int]:
    """Return the longest time from the previous message to each message, if every way has a fixed one."""
    since_ms: dict[str, float] = {flow.steps[0].name: float("inf")}
    found = {}
    for index, step in enumerate(flow.steps):
        after_ms = since_ms[step.name]
        if isinstance(step, TriggerStep):
            if after_ms != float("inf"):
                found[step.name] = int(after_ms)
            after_ms = 0
        elif isinstance(step, WaitStep):
            after_ms += step.for_ms
        elif isinstance(step, WaitUntilStep | WaitForDateStep):
            after_ms = float("inf")
        for name in next_names(flow.steps, index):
            since_ms[name] = max(after_ms, since_ms.get(name, 0))
    return found


def _cycles(flows: Sequence[Flow]) -> Iterator[Conflict]:
    """Yield cycles of flows: answers to the messages of one start the next; a rule for re-entry breaks a cycle."""
    endless = [flow for flow in flows if not flow.reentry_ms]
    leads = {flow.id: [other.id for other in endless if _leads_to(flow, other)] for flow in endless}
    reported: set[frozenset[str]] = set()
    for start in leads:
        way = _way_back(start, leads)
        if way and frozenset(way) not in reported:
            reported.add(frozenset(way))
            reason = "answers to the messages of each start the next one: " + " -> ".join([*way, way[0]])
            yield Conflict("cycle", tuple(way), reason)


def _leads_to(flow: Flow, other: Flow) -> bool:
    event = other.entry.event
    if event is None or not any(event in _ANSWERS[channel] for channel in flow.ordered_channels):
        return False
    named = [leaf for leaf in required(other.entry.condition) if isinstance(leaf, TextIs) and leaf.field == _FLOW_ID]
    return all(flow.id in leaf.one_of for leaf in named)


def _way_back(start: str, leads: dict[str, list[str]]) -> list[str]:
    """Return the shortest way from a flow to itself; empty: there is none."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    for way in ways:
        for name in leads[way[-1]]:
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
