"""Candidates of a customer that meet: the one that comes first by the flows' order goes out first.

A promotional message that is due looks ahead for as long as `arbitration_ms`. Where another candidate stands before its
message and comes first, it waits for that one's due time, and is decided after it. The total order is that of timers
due at once: transactional flows first, then by priority, then by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.flows.language.steps import WaitForDateStep, WaitStep, WaitUntilStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.flows.language.flow_set import CompiledFlow, FlowSet
    from streams.profiles.profile import Run, Sent


_WAITS = (WaitStep, WaitUntilStep, WaitForDateStep)


def comes_first(
    runs: Iterable[Run], plan: CompiledFlow, now_ms: int, flow_set: FlowSet, arbitration_ms: int
) -> Run | None:
    """The candidate that a message due now has to wait for, the first by the flows' order; None: it waits for none."""
    before = [
        run
        for run in runs
        if now_ms < run.due_ms <= now_ms + arbitration_ms
        and run.flow_id != plan.flow.id  # a shadow would stand in its place
        and _rank(run.flow_id, flow_set) < _rank(plan.key, flow_set)
        and _is_to_send(run, flow_set)
    ]
    return min(before, key=lambda run: _rank(run.flow_id, flow_set)) if before else None


def came_first(
    messages: Iterable[Sent], plan: CompiledFlow, now_ms: int, flow_set: FlowSet, arbitration_ms: int
) -> Sent | None:
    """The promotional message before which this one had to stand back, if one has just gone out."""
    for sent in messages:
        is_meeting = sent.is_promotional and now_ms - arbitration_ms < sent.time_ms <= now_ms
        is_other = is_meeting and sent.flow_id != plan.flow.id
        if is_other and _rank(sent.flow_id, flow_set) < _rank(plan.key, flow_set):
            return sent
    return None


def _rank(key: str, flow_set: FlowSet) -> str:
    """Texts that sort; what is no longer published comes last."""
    return flow_set.order.get(f"flow:{key}", "~")


def _is_to_send(run: Run, flow_set: FlowSet) -> bool:
    """Whether a message may come with the candidate's due time, of a flow that sends."""
    plan = flow_set.plans[run.flow_id]
    place = plan.places.get(run.step)
    return place is not None and not (isinstance(place.step, _WAITS) or plan.is_paused or plan.is_shadow)
