"""Messages on the way to a device or a user who turns out to be another user: they are taken back.

Those to a user are decided again for the survivor. Else the customer would never get the message of a flow with one
step, which has no candidate any more. Candidates of both go on as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.flows.language.assignment import arm_of
from streams.flows.language.fields import TRAIT
from streams.flows.runtime.entering import last_entry_ms
from streams.flows.runtime.pending import taken_back
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.profiles.effects import derived_id
from streams.profiles.keys import is_user
from streams.profiles.profile import CartItem

if TYPE_CHECKING:
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Run

_replace = msgspec.structs.replace


def without_dispatched(profile: Profile, at: Moment) -> Profile:
    """Take back the messages to a device that are out and not due yet, before a user absorbs its profile."""
    reason = "This device turned out to belong to a known customer, so the message was taken back."
    return taken_back(profile, lambda message: not message.is_held, reason, {}, at)


def without_moved(profile: Profile, at: Moment) -> Profile:
    """Take back all messages to a user whose profile goes to another user's.

    The profile has them as held ones when it goes there, for `decided_again`.
    """
    reason = "This customer turned out to be another known one, so the message was taken back."
    open_ = [message for message in profile.pending if message.is_held or message.goes_ms > at.now_ms]
    after = taken_back(profile, lambda _: True, reason, {}, at)
    return _replace(after, pending=tuple([_replace(message, is_held=True) for message in open_]))


def decided_again(profile: Profile, source: str, flow_set: FlowSet, at: Moment) -> Profile:
    """Return a profile that is merged into this one; a user's has candidates for what was taken back from them.

    Where their flow went on after the message, only the rest of it goes on for the survivor.
    """
    if not profile.pending or not is_user(source):
        return profile
    runs = {run.flow_id: run for run in profile.runs}
    for message in profile.pending:
        before, trigger = message.run, message.trigger
        plan = flow_set.plan_of(before, at.customer)
        if plan is None or before.flow_id in runs:
            continue
        shown = () if plan.flow.products == "cart" else trigger.products
        run = _replace(
            before,
            candidate_id=derived_id(before.candidate_id, at.customer, "merged"),
            due_ms=at.now_ms,
            held_ms=before.held_ms or before.due_ms,
            attributes=tuple([each for each in trigger.attributes.items() if not each[0].startswith(TRAIT)]),
            products=tuple([CartItem(item.sku, item.price_minor, item.quantity) for item in shown]),
        )
        reason = f"A message to {trigger.customer} was taken back, who turned out to be this customer."
        give_receipt(Verdict("entered", reason, {"event": "merge"}), run, arm_of(plan.flow, at.customer), at)
        runs[run.flow_id] = run
    return _replace(profile, runs=tuple([runs[flow_id] for flow_id in sorted(runs)]), pending=())


def with_restarted_waits(
    runs: tuple[Run, ...], lost: tuple[Run, ...], flow_set: FlowSet, customer: str
) -> tuple[Run, ...]:
    """Return the candidates that go on after a merge; a later entry event of a lost one restarts their wait."""
    for ended in lost:
        plan = flow_set.plan_of(ended, customer)
        if plan is not None and plan.restarts and ended.step in plan.opening:
            runs = tuple(_with_later_wait(run, ended, plan) if run.flow_id == ended.flow_id else run for run in runs)
    return runs


def _with_later_wait(run: Run, other: Run, plan: CompiledFlow) -> Run:
    if run.step not in plan.opening or last_entry_ms(other, plan) <= last_entry_ms(run, plan):
        return run
    due_ms = max(run.due_ms, other.due_ms) if run.step == other.step else other.due_ms
    return _replace(
        run,
        step=other.step,
        due_ms=due_ms,
        last_entry_ms=other.last_entry_ms,
        products=other.products,
        held_ms=0,
        attributes=other.attributes,
    )
