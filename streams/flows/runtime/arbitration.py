"""Which of several messages to one customer goes first when they meet.

A promotional message that is due looks ahead by `arbitration_ms`. If a candidate that comes first has a message due by
then, it waits for that due time and is decided after it. The order is total, and the same as for timers that are due
at once: transactional flows first, then by priority, then by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.flows.language.steps import WaitForDateStep, WaitStep, WaitUntilStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.profile import Run, Sent


_WAITS = (WaitStep, WaitUntilStep, WaitForDateStep)


def candidate_ahead(
    runs: Iterable[Run], plan: CompiledFlow, now_ms: int, flow_set: FlowSet, arbitration_ms: int
) -> Run | None:
    """Return the candidate that a message due now has to wait for, the first by the flows' order; None: no wait."""
    ahead = [
        run
        for run in runs
        if now_ms < run.due_ms <= now_ms + arbitration_ms
        and run.flow_id != plan.flow.id  # a version in the shadow does not wait for the one that it would replace
        and _rank(run.flow_id, flow_set) < _rank(plan.key, flow_set)
        and _is_to_send(run, flow_set)
    ]
    return min(ahead, key=lambda run: _rank(run.flow_id, flow_set)) if ahead else None


def message_ahead(
    messages: Iterable[Sent], plan: CompiledFlow, now_ms: int, flow_set: FlowSet, arbitration_ms: int
) -> Sent | None:
    """Return a promotional message that went out within `arbitration_ms` and comes first; None: there is none."""
    for sent in messages:
        is_meeting = sent.is_promotional and now_ms - arbitration_ms < sent.time_ms <= now_ms
        is_other = is_meeting and sent.flow_id != plan.flow.id
        if is_other and _rank(sent.flow_id, flow_set) < _rank(plan.key, flow_set):
            return sent
    return None


def _rank(key: str, flow_set: FlowSet) -> str:
    """Return a text that sorts flows in their order; flows that are no longer published come last."""
    return flow_set.order.get(f"flow:{key}", "~")


def _is_to_send(run: Run, flow_set: FlowSet) -> bool:
    """Return whether the candidate's next step may send a message when it is due."""
    plan = flow_set.plans[run.flow_id]
    node = plan.places.get(run.step)
    return node is not None and not (isinstance(node.step, _WAITS) or plan.is_paused or plan.held or plan.is_shadow)
