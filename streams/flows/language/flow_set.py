"""The published flows, compiled and indexed for events and timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.flows.language.assignment import is_of_canary
from streams.flows.language.conditions import CountIs, leaves
from streams.flows.language.fields import PRICE_DROP, TRAIT
from streams.flows.language.listening import EventIndex, heard
from streams.flows.language.mistakes import FlowError, parse_flow
from streams.flows.language.planning import CompiledFlow, planned
from streams.flows.language.steps import BranchStep
from streams.settings import FlowState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from streams.flows.language.conditions import Leaf
    from streams.flows.language.flow import Flow
    from streams.profiles.profile import Run

ALL_FLOWS = "*"
"""Key of the state of all flows together, beside those of each; no flow has such an id."""


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
    """Whether a flow is paused or held; then its messages on the way are taken back."""
    has_trait_dates: bool = False
    """Whether an attribute of the customer starts a flow; then its timers follow what touchpoints say."""

    def plan_of(self, run: Run, customer: str) -> CompiledFlow | None:
        """Return the version in which a run continues; None: it is no longer published."""
        versions = self.versions.get(run.flow_id)
        if versions is None:
            return self.plans.get(run.flow_id)
        return versions.version_for_run(run.flow_version, customer)

    def may_enter(self, plan: CompiledFlow, customer: str) -> bool:
        """Return whether the customer may enter this version of its flow."""
        if not plan.is_shared:
            return True
        offered = self.versions[plan.key].version_for_entry(customer)
        return offered is not None and offered.flow is plan.flow


def compile_flows(
    documents: Iterable[Mapping[str, JsonValue]],
    states: Mapping[str, FlowState] | None = None,
    zone: str = "UTC",
) -> FlowSet:
    """Compile the flows of these documents, by id, each as its state says; without a state it is live.

    The state of ALL_FLOWS pauses each. `zone` is the time zone of customers whose own is not known.

    Raises:
        FlowError: a document is not a flow, or two have the same id.
    """
    flows, states = _parsed(documents), states or {}
    everyone = states.get(ALL_FLOWS)
    are_paused = everyone is not None and everyone.paused_ms is not None
    canaries = {flow_id for flow_id, state in states.items() if state.canary is not None}
    plans: dict[str, CompiledFlow] = {}
    versions: dict[str, Versions] = {}
    listening: list[CompiledFlow] = []
    for flow_id in sorted(flows.keys() | canaries):
        known = _versions(flow_id, flows.get(flow_id), states.get(flow_id, FlowState()), zone, are_paused=are_paused)
        listening += known.all
        if known.canary is not None and known.canary.is_shadow:
            plans[known.canary.key] = known.canary
            known = known._replace(canary=None)
        if known.all:
            plans[flow_id] = known.live or known.all[-1]
        if len(known.all) > 1 or known.canary is not None:
            versions[flow_id] = known
    ordered = {key: plan.flow for key, plan in plans.items()}
    relied_on = {event: f"type={event}" for plan in listening for event in sorted(plan.flow.relied_on)}
    compares_prices, categories = _asked_of(listening)
    older = {id(plan) for each in versions.values() for plan in each.older}
    dates = tuple([plan for plan in listening if (plan.flow.entry.date or plan.floor_ms) and id(plan) not in older])
    indexes = heard(listening, older)
    found = FlowSet(
        ordered,
        plans,
        versions,
        *indexes,
        dates,
        _ranks(plans.values()),
        compares_prices,
        relied_on,
        categories,
        shows_orders=any(plan.flow.products == "order" for plan in listening),
        has_paused=any(plan.is_paused for plan in listening),
    )
    return found._replace(has_trait_dates=any((plan.flow.entry.date or "").startswith(TRAIT) for plan in dates))


def _ranks(plans: Iterable[CompiledFlow]) -> dict[str, str]:
    ranked = sorted(plans, key=lambda plan: (plan.flow.is_promotional, -plan.flow.priority, plan.key))
    return {f"flow:{plan.key}": f"flow:{rank:06d}" for rank, plan in enumerate(ranked)}


def _parsed(documents: Iterable[Mapping[str, JsonValue]]) -> dict[str, Flow]:
    flows: dict[str, Flow] = {}
    for index, document in enumerate(documents):
        flow = parse_flow(document, f"flows[{index}]")
        if flow.id in flows:
            raise FlowError(f"flows[{index}]: id is {flow.id!r}, which another flow has; give each flow its own id")
        flows[flow.id] = flow
    return flows


def _asked_of(plans: Iterable[CompiledFlow]) -> tuple[bool, frozenset[str]]:
    """Return whether flows compare prices, and the categories in which they count views."""
    asked = [leaf for plan in plans for leaf in _asked(plan.flow)]
    categories = frozenset(leaf.category for leaf in asked if isinstance(leaf, CountIs) and leaf.category is not None)
    return any(leaf.field == PRICE_DROP for leaf in asked), categories


def _versions(flow_id: str, live: Flow | None, state: FlowState, zone: str, *, are_paused: bool) -> Versions:
    """Return all versions of one flow; a canary with a share of 0 decides but sends nothing."""
    canary, is_paused = state.canary, are_paused or state.paused_ms is not None
    is_shared = canary is not None and canary.percent > 0
    older = [parse_flow(document, f"flow_states.{flow_id}.older[{at}]") for at, document in enumerate(state.older)]
    return Versions(
        tuple([planned(flow, zone, is_paused=is_paused) for flow in older]) if live is not None else (),
        None if live is None else planned(live, zone, is_paused=is_paused, is_shared=is_shared),
        None
        if canary is None
        else planned(
            parse_flow(canary.flow, f"flow_states.{flow_id}.canary"),
            zone,
            is_paused=is_paused and is_shared,
            is_shared=is_shared,
            is_shadow=not is_shared,
        ),
        0 if canary is None else canary.percent,
    )


def _asked(flow: Flow) -> Iterator[Leaf]:
    branches = [step.condition for step in flow.steps if isinstance(step, BranchStep)]
    for condition in (flow.entry.condition, flow.needs.condition, *branches):
        if condition is not None:
            yield from leaves(condition)
