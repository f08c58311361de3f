"""Publication: changes of the published flows, as new settings; the clock is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.flows.language.attribute_checks import mistakes
from streams.flows.language.conflicts import conflicts
from streams.flows.language.documents import listed
from streams.flows.language.flow_set import ALL_FLOWS, compile_flows
from streams.flows.language.mistakes import parse_flow
from streams.settings import Canary, DomainSettings, Expected, FlowState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from streams.flows.language.conflicts import Conflict

    Document = dict[str, JsonValue]

OLDER_MAX = 3
"""Older versions kept for customers who finish them; customers in still older ones move to the live version."""


class NotPublishable(ValueError):
    """The request does not fit the published flows; the message names the flow and what is allowed."""


class _Situation(NamedTuple):
    """A published flow: its live version and its state."""

    live: Document | None
    state: FlowState


def with_flow(
    domain: DomainSettings,
    flow: Document,
    now_ms: int,
    percent: float | None = None,
    expected: Expected | None = None,
) -> DomainSettings:
    """Return the settings with this version of a flow for everybody, or for a share; other versions stay.

    `expected` applies to everybody. Publishing the live version again ends a canary. Publishing a canary's version
    gives it another share, or makes it live.

    Raises:
        FlowError: it is not a flow.
        NotPublishable: its version is taken, there is another canary, or it names attributes that the settings lack.
    """
    parsed = parse_flow(flow, "flow")
    wrong = list(mistakes(parsed, domain.attributes))
    if wrong:
        raise NotPublishable(listed(f"{parsed.id}: {each}" for each in wrong))
    live, state = _situation(domain, parsed.id)
    canary = state.canary
    if flow == live:
        if (canary, percent, expected) == (None, None, None):
            return domain
        if percent is not None:
            raise NotPublishable(
                f"{parsed.id}: version {parsed.version} is already live; give a share only to a higher version"
            )
        kept = state.model_copy(update={"canary": None, "expected": expected or state.expected})
        return _with(domain, parsed.id, live, kept)
    if canary is None or flow != canary.flow:
        _check_version(parsed.id, parsed.version, live, state)
    if percent is not None:
        share = Canary(flow=flow, percent=percent, since_ms=now_ms)
        return _with(domain, parsed.id, live, state.model_copy(update={"canary": share}))
    is_kept = live is not None and parsed.running_customers == "finish"
    older = (*state.older, live)[-OLDER_MAX:] if is_kept else ()
    own = FlowState(since_ms=now_ms, paused_ms=state.paused_ms, older=older, expected=expected)
    return _with(domain, parsed.id, flow, own)


def paused(domain: DomainSettings, flow_id: str, now_ms: int) -> DomainSettings:
    """Return the settings with this flow, or ALL_FLOWS, paused, the same if it was. NotPublishable: no such flow."""
    live, state = _situation(domain, flow_id)
    _check_known(domain, flow_id)
    return domain if state.paused_ms is not None else _with(domain, flow_id, live, _paused(state, now_ms))


def resumed(domain: DomainSettings, flow_id: str) -> DomainSettings:
    """Return the settings with this flow no longer paused; otherwise as `paused`."""
    live, state = _situation(domain, flow_id)
    _check_known(domain, flow_id)
    return domain if state.paused_ms is None else _with(domain, flow_id, live, _paused(state, None))


def standing_as(published: DomainSettings | None, domain: DomainSettings, now_ms: int) -> DomainSettings:
    """Return the settings with exactly the flows of `domain`, each for everybody; an unchanged flow keeps its state.

    A changed flow stays paused, because a person paused it; and so do all, if all are.
    """
    states = {}
    if published is not None and ALL_FLOWS in published.flow_states:
        states[ALL_FLOWS] = published.flow_states[ALL_FLOWS]
    for flow in domain.flows:
        flow_id = str(flow["id"])
        live, state = (None, FlowState()) if published is None else _situation(published, flow_id)
        states[flow_id] = state if flow == live else FlowState(since_ms=now_ms, paused_ms=state.paused_ms)
    return domain.model_copy(update={"flow_states": states})


def conflicts_with(domain: DomainSettings, flows: Iterable[Document]) -> list[Conflict]:
    """Return the conflicts of these flows, with each other and with the other published ones."""
    documents = {str(flow["id"]): flow for flow in (*domain.flows, *flows)}
    new = {str(flow["id"]) for flow in flows}
    parsed = list(compile_flows(documents.values()).flows.values())
    return [conflict for conflict in conflicts(parsed) if not new.isdisjoint(conflict.flows)]


def _paused(state: FlowState, paused_ms: int | None) -> FlowState:
    return state.model_copy(update={"paused_ms": paused_ms})


def _situation(domain: DomainSettings, flow_id: str) -> _Situation:
    live = next((flow for flow in domain.flows if flow["id"] == flow_id), None)
    return _Situation(live, domain.flow_states.get(flow_id, FlowState()))


def _with(domain: DomainSettings, flow_id: str, live: Document | None, state: FlowState) -> DomainSettings:
    others = [flow for flow in domain.flows if flow["id"] != flow_id]
    flows = sorted([*others, *([] if live is None else [live])], key=lambda flow: str(flow["id"]))
    states = {**domain.flow_states, flow_id: state}
    return domain.model_copy(update={"flows": tuple(flows), "flow_states": dict(sorted(states.items()))})


def _check_version(flow_id: str, version: int, live: Document | None, state: FlowState) -> None:
    canary = state.canary
    if canary is not None and canary.percent:
        raise NotPublishable(
            f"{flow_id}: version {canary.flow['version']} is published for {canary.percent:g} % of the customers: "
            "publish that version for everybody, or end it by publishing the live version again"
        )
    shadowed = None if canary is None else canary.flow
    known = [int(str(flow["version"])) for flow in (*state.older, live, shadowed) if flow is not None]
    if known and version <= max(known):
        raise NotPublishable(
            f"{flow_id}: version is {version}, but version {max(known)} was published with another text; use "
            f"{max(known) + 1} or above, because records name a flow by its version"
        )


def _check_known(domain: DomainSettings, flow_id: str) -> None:
    if flow_id == ALL_FLOWS:
        return
    known = {str(flow["id"]) for flow in domain.flows} | {
        name for name, state in domain.flow_states.items() if state.canary is not None
    }
    if flow_id not in known:
        raise NotPublishable(
            f"flow {flow_id!r} is not published; published flows: {', '.join(sorted(known)) or 'none'}"
        )
