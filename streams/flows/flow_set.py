"""The published flows, compiled and indexed as events and timers look them up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.flows.compiling import compile_condition
from streams.flows.mistakes import FlowError, parse_flow
from streams.flows.steps import END, BranchStep, TriggerStep, next_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from streams.flows.compiling import Holds
    from streams.flows.definition import Flow
    from streams.flows.steps import Step


class Place(NamedTuple):
    """A step among the others."""

    step: Step
    nexts: tuple[str, ...]
    """What may come next: one name, or one for each way out (then and else, or by arm); END: nothing."""
    holds: Holds | None
    """Of a branch: which of the two ways."""


class Plan(NamedTuple):
    """What the runner asks of a flow, compiled."""

    flow: Flow
    entry: Holds | None
    needs: Holds | None
    """At each message."""
    first: str
    opening: frozenset[str]
    """Steps at which no message has been decided yet: another entry takes the customer back to the first."""
    places: dict[str, Place]


class Listening(NamedTuple):
    """What one type of event does."""

    entries: tuple[Plan, ...]
    """Flows that it may enter, by id."""
    exits: frozenset[str]
    """Ids of the flows that it ends."""
    goals: frozenset[str]
    """Ids of the flows whose goal it is, where a step asks for it."""


class FlowSet(NamedTuple):
    """Published flows, indexed so that an event costs the flows that listen to it, not all there are."""

    flows: dict[str, Flow]
    plans: dict[str, Plan]
    listening: dict[str, Listening]
    segments: dict[str, tuple[Plan, ...]]
    """Flows that a segment may enter, by id."""
    order: dict[str, str]
    """Of timers due at once, by name: transactional flows first, then by priority, then by id."""


def compile_flows(documents: Iterable[Mapping[str, JsonValue]]) -> FlowSet:
    """The flows of these documents, in order of their ids.

    Raises:
        FlowError: one is not a flow, or two have the same id.
    """
    flows: dict[str, Flow] = {}
    for place, document in enumerate(documents):
        flow = parse_flow(document, f"flows[{place}]")
        if flow.id in flows:
            raise FlowError(f"flows[{place}]: id is {flow.id!r}, which another flow has; ids must differ")
        flows[flow.id] = flow
    plans = {flow_id: _planned(flows[flow_id]) for flow_id in sorted(flows)}
    entries: dict[str, list[Plan]] = {}
    exits: dict[str, set[str]] = {}
    goals: dict[str, set[str]] = {}
    segments: dict[str, list[Plan]] = {}
    for flow_id, plan in plans.items():
        entry = plan.flow.entry
        if entry.event is not None:
            entries.setdefault(entry.event, []).append(plan)
        for segment in entry.segment or ():
            segments.setdefault(segment, []).append(plan)
        for event in plan.flow.exit_events:
            exits.setdefault(event, set()).add(flow_id)
        if plan.flow.checks_goal:
            goals.setdefault(plan.flow.goal.event, set()).add(flow_id)
    listening = {
        event: Listening(
            tuple(entries.get(event, ())), frozenset(exits.get(event, ())), frozenset(goals.get(event, ()))
        )
        for event in {*entries, *exits, *goals}
    }
    ordered = {flow_id: plan.flow for flow_id, plan in plans.items()}
    ranked = sorted(ordered.values(), key=lambda flow: (flow.is_promotional, -flow.priority, flow.id))
    order = {f"flow:{flow.id}": f"flow:{rank:06d}" for rank, flow in enumerate(ranked)}
    return FlowSet(ordered, plans, listening, {name: tuple(entered) for name, entered in segments.items()}, order)


def _planned(flow: Flow) -> Plan:
    steps = flow.steps
    places: dict[str, Place] = {}
    for at, step in enumerate(steps):
        holds = compile_condition(step.condition) if isinstance(step, BranchStep) else None
        places[step.name] = Place(step, next_names(steps, at), holds)
    entry, needs = flow.entry.condition, flow.needs.condition
    return Plan(
        flow,
        None if entry is None else compile_condition(entry),
        None if needs is None else compile_condition(needs),
        steps[0].name,
        _opening(steps[0].name, places),
        places,
    )


def _opening(first: str, places: dict[str, Place]) -> frozenset[str]:
    """Steps that are reached without a trigger before them, and on no way with one."""
    before, after = {first}, set[str]()
    for name, place in places.items():  # in order, and steps lead forward only
        if name in before and not isinstance(place.step, TriggerStep):
            before.update(place.nexts)
        if name in after or isinstance(place.step, TriggerStep):
            after.update(place.nexts)
    return frozenset(before - after - {END})
