"""One version of a flow, compiled for the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.units import DAY_MS
from streams.flows.language.arms import SHADOW_KEY
from streams.flows.language.compiling import compile_condition
from streams.flows.language.steps import END, BranchStep, TriggerStep, next_names

if TYPE_CHECKING:
    from streams.flows.language.compiling import Holds
    from streams.flows.language.flow import Flow
    from streams.flows.language.steps import Step

YEARLY_APART_MS: Final = 300 * DAY_MS
"""How long after a yearly entry the next one counts at the earliest."""


class StepNode(NamedTuple):
    """A step and the steps after it."""

    step: Step
    nexts: tuple[str, ...]
    """Names of the next steps: one, or one for each way out (then and else, or by arm); END: nothing."""
    holds: Holds | None
    """The condition of a branch."""


class CompiledFlow(NamedTuple):
    """A version of a flow, compiled for the runner."""

    key: str
    """The flow's id, for a shadow after SHADOW_KEY: the key of runs, timers and entries."""
    flow: Flow
    wait_ms: int
    """This and the next three are copies from the flow, needed at each event."""
    restarts: bool
    reentry_ms: int
    shows_entry: bool
    entry: Holds | None
    needs: Holds | None
    """Checked at each message."""
    floor_ms: int
    """Of an entry by a segment: how long ago the last order must be."""
    history_ms: int
    """How long ago the shop's first event must be."""
    first: str
    opening: frozenset[str]
    """Steps before the first message: another entry takes the customer back to the first step."""
    places: dict[str, StepNode]
    is_paused: bool
    is_shared: bool
    """Whether another version has a share of the customers."""
    carried: tuple[str, ...]
    """Attributes of the entry's event that messages carry."""
    held: str = ""
    """Why its messages wait although nobody paused it; empty: they do not."""

    @property
    def is_shadow(self) -> bool:
        """Return whether it decides for everybody but sends nothing."""
        return self.key != self.flow.id


def planned(
    flow: Flow, zone: str, *, is_paused: bool, is_shared: bool = False, is_shadow: bool = False
) -> CompiledFlow:
    steps = flow.steps
    places: dict[str, StepNode] = {}
    for at, step in enumerate(steps):
        holds = compile_condition(step.condition, zone) if isinstance(step, BranchStep) else None
        places[step.name] = StepNode(step, next_names(steps, at), holds)
    entry, needs = flow.entry.condition, flow.needs.condition
    return CompiledFlow(
        SHADOW_KEY + flow.id if is_shadow else flow.id,
        flow,
        flow.wait.for_ms,
        flow.wait.restarts,
        # a customer whose birthday or time zone is put right has not two of them in a year
        max(flow.reentry_ms, YEARLY_APART_MS) if flow.entry.yearly else flow.reentry_ms,
        flow.shows_entry,
        None if entry is None else compile_condition(entry, zone),
        None if needs is None else compile_condition(needs, zone),
        flow.entry.floor_ms,
        flow.history_ms,
        steps[0].name,
        _opening(steps[0].name, places),
        places,
        is_paused,
        is_shared,
        tuple(name for name in flow.attributes if name.startswith("event.")),
    )


def _opening(first: str, places: dict[str, StepNode]) -> frozenset[str]:
    """Return the steps that no trigger can come before."""
    before, after = {first}, set[str]()
    for name, place in places.items():  # in order, and steps lead forward only
        if name in before and not isinstance(place.step, TriggerStep):
            before.update(place.nexts)
        if name in after or isinstance(place.step, TriggerStep):
            after.update(place.nexts)
    return frozenset(before - after - {END})
