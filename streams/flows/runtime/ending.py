"""What ends candidates: events of the customer, also in another profile of theirs, and merges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.flows.language.arms import UNASSIGNED
from streams.flows.language.assignment import arm_of
from streams.flows.runtime.entering import last_entry_ms
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.profiles.effects import hash_64
from streams.profiles.order_changes import TAKING_BACK, TYPES, acting
from streams.profiles.orders import histories_of, was_ordered_since

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Run

_ORDERED = "order_completed"


def end_lost_to_merge(run: Run, at: Moment) -> None:
    """End a candidate of a merged profile that has another candidate in the same flow."""
    reason = "This profile was merged with another one, which is in the flow already."
    verdict = Verdict("exited", reason, {"event": "merge"})
    give_receipt(verdict, run, UNASSIGNED, at)


def without_ended_by(
    runs: tuple[Run, ...], event_type: str, time_ms: int, flow_set: FlowSet, at: Moment
) -> tuple[Run, ...]:
    """End candidates by an event in another profile of the same customer; return the others.

    A candidate whose last entry event came after it stays.
    """
    listening = flow_set.listening.get(event_type)
    if listening is None or not runs:
        return runs
    kept = []
    for run in runs:
        plan = flow_set.plan_of(run, at.customer) if run.flow_id in listening.exits else None
        if plan is None or event_type not in plan.flow.exit_events or last_entry_ms(run, plan) > time_ms:
            kept.append(run)
            continue
        end(run, plan, {"event": event_type, "event_time_ms": str(time_ms)}, at)
    return tuple(kept)


def end(run: Run, plan: CompiledFlow, evidence: dict[str, str], at: Moment) -> None:
    """End a candidate, with a receipt that says why."""
    verdict = Verdict("exited", f"{evidence['event']} ended the flow for this customer.", evidence)
    give_receipt(verdict, run, arm_of(plan.flow, at.customer), at)


def endings_since(profile: Profile, event: Touchpoint) -> list[str]:
    """Return the types of orders' events that are known, and would have ended what this earlier event starts."""
    time_ms, endings = event.time_ms, []
    if was_ordered_since(profile, time_ms):
        endings.append(_ORDERED)
    if profile.changes:
        # the clocks of a shop and of a browser differ, but an order is before what takes it back
        own = hash_64(event.order.order_id) if event.order is not None else None
        orders = {each.order_hash for each in profile.changes if each.time_ms >= time_ms or each.order_hash == own}
        for order, history in histories_of(profile, orders).items():
            names = {TYPES.get(each.kind) for each in acting(history) if each.time_ms >= time_ms or order == own}
            endings += [name for name in TAKING_BACK if name in names]
    return endings
