"""Flows that hold their messages because something that they rely on is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.flows.language.flow_set import FlowSet, Versions
    from streams.flows.language.planning import CompiledFlow


def with_holds(flows: FlowSet, held: Mapping[str, str]) -> FlowSet:
    """Return the flows with those held that are named, each with why; the same object if none of them is published.

    A shadow sends nothing, so there is nothing to hold.
    """
    if not held.keys() & (flows.plans.keys() | flows.versions.keys()):
        return flows
    plans = {key: _held(plan, held) for key, plan in flows.plans.items()}
    versions = {key: _held_versions(each, held) for key, each in flows.versions.items()}
    return flows._replace(plans=plans, versions=versions, has_paused=True)


def _held(plan: CompiledFlow, held: Mapping[str, str]) -> CompiledFlow:
    why = held.get(plan.key)
    return plan if why is None else plan._replace(held=why)


def _held_versions(versions: Versions, held: Mapping[str, str]) -> Versions:
    return versions._replace(
        older=tuple([_held(plan, held) for plan in versions.older]),
        live=None if versions.live is None else _held(versions.live, held),
        canary=None if versions.canary is None else _held(versions.canary, held),
    )
