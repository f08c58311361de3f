"""Which flows listen to which events and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from streams.flows.language.planning import CompiledFlow


class EventIndex(NamedTuple):
    """The effects of one type of event."""

    entries: tuple[CompiledFlow, ...]
    """Flows that it may start, by id."""
    exits: frozenset[str]
    """Keys of the flows that it ends, in at least one version."""
    goals: frozenset[str]
    """Keys of the flows whose goal it is, if a step of a version checks the goal."""


def heard(
    plans: Iterable[CompiledFlow], older: Container[int]
) -> tuple[dict[str, EventIndex], dict[str, tuple[CompiledFlow, ...]]]:
    """Return the effects of each type of event and of each segment; none starts an `older` version."""
    entries: dict[str, list[CompiledFlow]] = {}
    exits: dict[str, set[str]] = {}
    goals: dict[str, set[str]] = {}
    segments: dict[str, list[CompiledFlow]] = {}
    for plan in plans:
        entry = plan.flow.entry
        if id(plan) not in older:
            if entry.event is not None:
                entries.setdefault(entry.event, []).append(plan)
            for segment in entry.segment or ():
                segments.setdefault(segment, []).append(plan)
        for event in plan.flow.exit_events:
            exits.setdefault(event, set()).add(plan.key)
        if plan.flow.checks_goal:
            goals.setdefault(plan.flow.goal.event, set()).add(plan.key)
    listening = {
        event: EventIndex(
            tuple(entries.get(event, ())), frozenset(exits.get(event, ())), frozenset(goals.get(event, ()))
        )
        for event in {*entries, *exits, *goals}
    }
    return listening, {name: tuple(entered) for name, entered in segments.items()}
