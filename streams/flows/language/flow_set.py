"""The published flows, compiled and indexed for events and timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.flows.language.arms import SHADOW_KEY
from streams.flows.language.assignment import is_of_canary
from streams.flows.language.compiling import compile_condition
from streams.flows.language.conditions import CountIs, leaves
from streams.flows.language.fields import PRICE_DROP
from streams.flows.language.mistakes import FlowError, parse_flow
from streams.flows.language.steps import END, BranchStep, TriggerStep, next_names
from streams.settings import FlowState

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from streams.flows.language.compiling import Holds
    from streams.flows.language.conditions import Leaf
    from streams.flows.language.flow import Flow
    from streams.flows.language.steps import Step
    from streams.profiles.profile import Run

ALL_FLOWS = "*"
"""Key of the state of all flows together, beside those of each; no flow has such an id."""


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

    @property
    def is_shadow(self) -> bool:
        """Return whether it decides for everybody but sends nothing."""
        return self.key != self.flow.id


class Versions(NamedTuple):
    """The versions of a flow that has several, or a single one for a share of the customers."""

    older: tuple[CompiledFlow, ...]
    """In the order of their versions, below the live one."""
    live: CompiledFlow | None
    canary: CompiledFlow | None
    """Above the live one."""
    percent: float

    @property
    def all(self) -> tuple[CompiledFlow, ...]:
        """Return all versions in order."""
        return tuple(plan for plan in (*self.older, self.live, self.canary) if plan is not None)

    def version_for_entry(self, customer: str) -> CompiledFlow | None:
        """Return the version that the customer may enter."""
        canary = self.canary
        return canary if canary is not None and is_of_canary(canary.flow, self.percent, customer) else self.live

    def version_for_run(self, version: int, customer: str) -> CompiledFlow | None:
        """Return the version a run continues in: its own, or the latest later one with running_customers: move."""
        offered = found = self.version_for_entry(customer)
        for plan in self.all:
            is_theirs = plan is not self.canary or plan is offered
            if plan.flow.version == version or (
                plan.flow.version > version and plan.flow.running_customers == "move" and is_theirs
            ):
                found = plan
        return found


class EventIndex(NamedTuple):
    """The effects of one type of event."""

    entries: tuple[CompiledFlow, ...]
    """Flows that it may start, by id."""
    exits: frozenset[str]
    """Keys of the flows that it ends, in at least one version."""
    goals: frozenset[str]
    """Keys of the flows whose goal it is, if a step of a version checks the goal."""


class FlowSet(NamedTuple):
    """Published flows, indexed so that an event costs only the flows that listen to it."""

    flows: dict[str, Flow]
    plans: dict[str, CompiledFlow]
    """By key: the live version, or a canary without one."""
    versions: dict[str, Versions]
    """By id, for flows with more versions than `plans` has."""
    listening: dict[str, EventIndex]
    segments: dict[str, tuple[CompiledFlow, ...]]
    """By segment: the flows that it may start, by id."""
    dates: tuple[CompiledFlow, ...]
    """Flows that a date starts, or a segment from a floor on, by id."""
    order: dict[str, str]
    """Ranks of timers due at the same time, by name: transactional flows first, then by priority, then by id."""
    compares_prices: bool
    """Whether a flow needs earlier prices of articles; then profiles keep them."""
    relied_on: dict[str, str]
    """Types of touchpoints that a flow relies on, each as the dimension of a fact."""
    categories: frozenset[str]
    """Categories in which a flow counts views; then profiles keep them."""
    shows_orders: bool
    """Whether messages of a flow show an order; then profiles keep the content of the last one."""
    has_paused: bool
    """Whether a flow is paused; then its messages on the way are taken back."""

    def plan_of(self, run: Run, customer: str) -> CompiledFlow | None:
        """Return the version in which a run continues; None: it is no longer published."""
        versions = self.versions.get(run.flow_id)
        if versions is None:
            return self.plans.get(run.flow_id)
        return versions.version_for_run(run.flow_version, customer)

    def may_enter(self, plan: CompiledFlow, customer: str) -> bool:
        """Return whether the customer may enter this version of its flow."""
        return not plan.is_shared or self.versions[plan.key].version_for_entry(customer) is plan


def compile_flows(
    documents: Iterable[Mapping[str, JsonValue]], states: Mapping[str, FlowState] | None = None
) -> FlowSet:
    """Compile the flows of these documents, by id, each as its state says; without a state it is live.

    The state of ALL_FLOWS pauses each.

    Raises:
        FlowError: a document is not a flow, or two have the same id.
    """
    flows: dict[str, Flow] = {}
    for index, document in enumerate(documents):
        flow = parse_flow(document, f"flows[{index}]")
        if flow.id in flows:
            raise FlowError(f"flows[{index}]: id is {flow.id!r}, which another flow has; give each flow its own id")
        flows[flow.id] = flow
    states = states or {}
    everyone = states.get(ALL_FLOWS)
    are_paused = everyone is not None and everyone.paused_ms is not None
    canaries = {flow_id for flow_id, state in states.items() if state.canary is not None}
    plans: dict[str, CompiledFlow] = {}
    versions: dict[str, Versions] = {}
    listening: list[CompiledFlow] = []
    for flow_id in sorted(flows.keys() | canaries):
        known = _versions(flow_id, flows.get(flow_id), states.get(flow_id, FlowState()), are_paused=are_paused)
        listening += known.all
        if known.canary is not None and known.canary.is_shadow:
            plans[known.canary.key] = known.canary
            known = known._replace(canary=None)
        if known.all:
            plans[flow_id] = known.live or known.all[-1]
        if len(known.all) > 1 or known.canary is not None:
            versions[flow_id] = known
    ranked = sorted(plans.values(), key=lambda plan: (plan.flow.is_promotional, -plan.flow.priority, plan.key))
    order = {f"flow:{plan.key}": f"flow:{rank:06d}" for rank, plan in enumerate(ranked)}
    ordered = {key: plan.flow for key, plan in plans.items()}
    relied_on = {event: f"type={event}" for plan in listening for event in sorted(plan.flow.relied_on)}
    asked = [leaf for plan in listening for leaf in _asked(plan.flow)]
    compares_prices = any(leaf.field == PRICE_DROP for leaf in asked)
    categories = frozenset(leaf.category for leaf in asked if isinstance(leaf, CountIs) and leaf.category is not None)
    older = {id(plan) for each in versions.values() for plan in each.older}
    dates = tuple([plan for plan in listening if (plan.flow.entry.date or plan.floor_ms) and id(plan) not in older])
    heard = _heard(listening, older)
    shows_orders = any(plan.flow.products == "order" for plan in listening)
    has_paused = any(plan.is_paused for plan in listening)
    return FlowSet(
        ordered, plans, versions, *heard, dates, order, compares_prices, relied_on, categories, shows_orders, has_paused
    )


def _versions(flow_id: str, live: Flow | None, state: FlowState, *, are_paused: bool) -> Versions:
    """Return all versions of one flow; a canary with a share of 0 decides but sends nothing."""
    canary, is_paused = state.canary, are_paused or state.paused_ms is not None
    is_shared = canary is not None and canary.percent > 0
    older = [parse_flow(document, f"flow_states.{flow_id}.older[{at}]") for at, document in enumerate(state.older)]
    return Versions(
        tuple([_planned(flow, is_paused=is_paused) for flow in older]) if live is not None else (),
        None if live is None else _planned(live, is_paused=is_paused, is_shared=is_shared),
        None
        if canary is None
        else _planned(
            parse_flow(canary.flow, f"flow_states.{flow_id}.canary"),
            is_paused=is_paused and is_shared,
            is_shared=is_shared,
            is_shadow=not is_shared,
        ),
        0 if canary is None else canary.percent,
    )


def _heard(
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


def _asked(flow: Flow) -> Iterator[Leaf]:
    branches = [step.condition for step in flow.steps if isinstance(step, BranchStep)]
    for condition in (flow.entry.condition, flow.needs.condition, *branches):
        if condition is not None:
            yield from leaves(condition)


def _planned(flow: Flow, *, is_paused: bool, is_shared: bool = False, is_shadow: bool = False) -> CompiledFlow:
    steps = flow.steps
    places: dict[str, StepNode] = {}
    for at, step in enumerate(steps):
        holds = compile_condition(step.condition) if isinstance(step, BranchStep) else None
        places[step.name] = StepNode(step, next_names(steps, at), holds)
    entry, needs = flow.entry.condition, flow.needs.condition
    return CompiledFlow(
        SHADOW_KEY + flow.id if is_shadow else flow.id,
        flow,
        flow.wait.for_ms,
        flow.wait.restarts,
        flow.reentry_ms,
        flow.shows_entry,
        None if entry is None else compile_condition(entry),
        None if needs is None else compile_condition(needs),
        flow.entry.floor_ms,
        flow.history_ms,
        steps[0].name,
        _opening(steps[0].name, places),
        places,
        is_paused,
        is_shared,
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
