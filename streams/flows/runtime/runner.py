"""A customer's way through flows: entry, exit, and the steps that are due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from schemas.touchpoint import CUSTOM
from streams.flows.language.arms import UNASSIGNED
from streams.flows.language.assignment import arm_of
from streams.flows.language.events import heard_as
from streams.flows.language.fields import date_ms
from streams.flows.language.steps import (
    END,
    BranchStep,
    CheckGoalStep,
    SplitStep,
    TriggerStep,
    WaitForDateStep,
    WaitStep,
    WaitUntilStep,
)
from streams.flows.runtime.candidate import Candidate
from streams.flows.runtime.deciding import decide, trigger, was_held
from streams.flows.runtime.ending import end, endings_since, without_ended_by
from streams.flows.runtime.entering import entered_by_event, entered_by_segment, last_entry_ms
from streams.flows.runtime.hours import until_ms
from streams.flows.runtime.pending import sent_or_held
from streams.flows.runtime.receipts import HELD, Verdict, give_receipt
from streams.profiles.effects import derived_id
from streams.profiles.keys import is_address
from streams.profiles.orders import last_order_ms
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow, StepNode
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Run

_ORDERED = "order_completed"
_ENDING = frozenset({"exited", "held_out", "no_consent", "no_address"})
"""Outcomes of one message after which the flow sends the customer no further one."""
_replace = msgspec.structs.replace


def on_event(profile: Profile, event: Touchpoint, received_ms: int, flow_set: FlowSet, at: Moment) -> Profile:
    """Return the profile after an event, which it holds already, has ended and started flows.

    The same object if no flow changed.
    """
    kind = event.type
    if kind == CUSTOM:
        kind = heard_as(event)
    listening = flow_set.listening.get(kind)
    if listening is None:
        return profile
    runs = profile.runs
    if runs and listening.goals:
        runs = tuple(
            [
                _with_goal(run, kind, event, flow_set, at.customer) if run.flow_id in listening.goals else run
                for run in runs
            ]
        )
        profile = _replace(profile, runs=runs)
    if runs and listening.exits:
        profile = _without_exited(profile, listening.exits, event, flow_set, at)
    # an address is no customer: it has no clock of its own and no one to send to
    if listening.entries and not is_address(at.customer):
        is_old = received_ms - event.time_ms > at.settings.entry_age_max_ms
        endings = endings_since(profile, event) if profile.orders or profile.changes else None
        for plan in listening.entries:
            if plan.is_shared and not flow_set.may_enter(plan, at.customer):
                continue
            if endings and not plan.flow.exit_events.isdisjoint(endings):
                continue  # it came late, and what came since has ended what it would start
            if plan.entry is None or plan.entry(profile, event, at.now_ms):
                profile = entered_by_event(profile, plan, event, at, is_old=is_old)
    return profile


def on_history(profile: Profile, event: Touchpoint, flow_set: FlowSet, at: Moment) -> Profile:
    """Return the profile after an imported event, which starts nothing, and ends only what began no later than it."""
    kind, runs = heard_as(event), profile.runs
    listening = flow_set.listening.get(kind)
    if listening is None or not runs:
        return profile
    if listening.goals:
        runs = tuple(
            [
                _with_goal(run, kind, event, flow_set, at.customer) if run.flow_id in listening.goals else run
                for run in runs
            ]
        )
        profile = _replace(profile, runs=runs)
    if not listening.exits:
        return profile
    older = without_ended_by(profile.runs, kind, event.time_ms, flow_set, at)
    return profile if len(older) == len(profile.runs) else _replace(profile, runs=older)


def on_segment(profile: Profile, segment: str, flow_set: FlowSet, at: Moment, *, is_old: bool = False) -> Profile:
    """Return the profile after its new segment has started flows; the same object if none started."""
    for plan in flow_set.segments.get(segment, ()):
        if flow_set.may_enter(plan, at.customer) and (plan.entry is None or plan.entry(profile, None, at.now_ms)):
            profile = entered_by_segment(profile, plan, segment, at, is_old=is_old)
    return profile


def on_due(profile: Profile, run: Run, flow_set: FlowSet, at: Moment, *, watermark_ms: int | None) -> Profile:
    """Return the profile after the due steps of one of its runs, which then waits again or is over.

    A customer who entered an older version and is to move continues in the newer one, at the step of the same name.
    Records then name the newer version. Each message is a candidate of its own: the first one from the entry on, a
    later one from the decision about the message before.
    """
    plan = flow_set.plan_of(run, at.customer)
    if plan is None:
        unpublished = Verdict("exited", f"The flow {run.flow_id} is no longer published, so the customer left it.", {})
        give_receipt(unpublished, run, UNASSIGNED, at)
        return _with_run(profile, run, None)
    step = run.step if run.step in plan.places else plan.first if len(plan.places) == 1 else END
    arm = arm_of(plan.flow, at.customer)
    current: Run | None = _replace(run, flow_version=plan.flow.version, step=run.step if step == END else step)
    if step == END:
        reason = f"Version {plan.flow.version} of the flow has no step {run.step}, so the customer left it."
        give_receipt(Verdict("exited", reason, {}), run, arm, at)
        current = None
    while current is not None and current.due_ms <= at.now_ms:
        candidate, node = Candidate(profile, current, plan, arm), plan.places[current.step]
        if isinstance(node.step, TriggerStep):
            verdict = decide(candidate, flow_set, at)
            if verdict.outcome == "sent" and plan.is_shadow:
                reason = f"This version is in the shadow, so nothing went out by {verdict.channel}. {verdict.reason}"
                verdict = verdict._replace(outcome="shadow", reason=reason)
            if verdict.outcome == "sent":
                profile = sent_or_held(candidate, trigger(candidate, verdict, at), at, watermark_ms=watermark_ms)
            is_told = plan.is_paused and verdict.is_held and current.held_ms
            if not (is_told or (verdict.outcome == HELD and was_held(current))):
                give_receipt(verdict, current, arm, at, candidate.profile)
            current = _after_verdict(candidate, verdict, node.nexts[0], at)
        else:
            current = _after_step(candidate, node, at)
    return _with_run(profile, run, current)


def _with_run(profile: Profile, before: Run, after: Run | None) -> Profile:
    if after is None:
        return _replace(profile, runs=tuple([run for run in profile.runs if run is not before]))
    return _replace(profile, runs=tuple([after if run is before else run for run in profile.runs]))


def _with_goal(run: Run, kind: str, event: Touchpoint, flow_set: FlowSet, customer: str) -> Run:
    if run.goal_ms or event.time_ms < run.entered_ms:
        return run
    plan = flow_set.plan_of(run, customer)
    return run if plan is None or plan.flow.goal.event != kind else _replace(run, goal_ms=event.time_ms)


def _may_end(profile: Profile, run: Run, plan: CompiledFlow, event: Touchpoint, at: Moment) -> bool:
    """Return whether an event is newer than the entry that it would undo.

    A time or a segment lets customers in as far as is known then, so what turns out to be earlier ends that too. But an
    order does so only if the customer has no later one, as another one would not have changed that.
    """
    if at.rules < RULES_3 or last_entry_ms(run, plan) <= event.time_ms:
        return True
    if plan.flow.entry.event is not None:
        return False
    return event.type != _ORDERED or last_order_ms(profile) == event.time_ms


def _without_exited(
    profile: Profile, exits: frozenset[str], event: Touchpoint, flow_set: FlowSet, at: Moment
) -> Profile:
    kept, kind = [], event.type
    if kind == CUSTOM:
        kind = heard_as(event)
    for run in profile.runs:
        plan = flow_set.plan_of(run, at.customer) if run.flow_id in exits else None
        if plan is None or kind not in plan.flow.exit_events or not _may_end(profile, run, plan, event, at):
            kept.append(run)
            continue
        evidence = {"event": kind, "event_id": event.event_id, "event_time_ms": str(event.time_ms)}
        end(run, plan, evidence, at)
    return profile if len(kept) == len(profile.runs) else _replace(profile, runs=tuple(kept))


def _after_verdict(candidate: Candidate, verdict: Verdict, following: str, at: Moment) -> Run | None:
    """Return the run after a message was decided: deferred, or on its way to the next one; None: it is over."""
    run = candidate.run
    if verdict.outcome == HELD:
        # expiry counts from held_ms, so it moves on with the message
        waits_ms = verdict.until_ms - at.now_ms
        return _replace(run, due_ms=verdict.until_ms, held_ms=(run.held_ms or run.due_ms) + waits_ms)
    if verdict.outcome == "deferred":
        return _replace(run, due_ms=verdict.until_ms, held_ms=(run.held_ms or run.due_ms) if verdict.is_held else 0)
    if verdict.outcome in _ENDING or following == END:
        return None
    candidate_id = derived_id(run.cause, at.customer, run.flow_id, run.flow_version, following)
    after = _replace(run, candidate_id=candidate_id, step=following, due_ms=at.now_ms, held_ms=0)
    reason = f"After the step {run.step} the customer goes on to {following}."
    entered = Verdict("entered", reason, {"after": run.step})
    give_receipt(entered, after, candidate.arm, at, candidate.profile)
    return after


def _after_step(candidate: Candidate, node: StepNode, at: Moment) -> Run | None:
    """Return the run after a step that sends nothing; None: it is over."""
    run, profile, now_ms = candidate.run, candidate.profile, at.now_ms
    following, due_ms = node.nexts[0], now_ms
    ended = Verdict("exited", f"Nothing follows the step {run.step}, so the customer left the flow.", {})
    match node.step:
        case WaitStep(for_ms=for_ms):
            due_ms = now_ms + for_ms
        case WaitUntilStep():
            zone = zone_of(profile.time_zone, at.settings.reporting_time_zone)
            due_ms = until_ms(node.step, now_ms, zone)
        case WaitForDateStep(field=field, before_ms=before_ms, after_ms=after_ms):
            waits_ms = date_ms(field, profile, at.settings.reporting_time_zone, after_ms - before_ms)
            if waits_ms is None:
                reason = f"The profile has no {field}, so the customer left the flow."
                following, ended = END, Verdict("exited", reason, {})
            else:
                due_ms = max(waits_ms, now_ms)
        case BranchStep():
            is_met = node.holds is not None and node.holds(profile, None, now_ms)
            following = node.nexts[0 if is_met else 1]
        case SplitStep(arms=arms):
            # a customer who is held out takes the first way, where the first message decides so
            names = [each.name for each in arms]
            following = node.nexts[names.index(candidate.arm) if candidate.arm in names else 0]
        case CheckGoalStep() if run.goal_ms:
            reason = f"The flow's goal, {candidate.plan.flow.goal.event}, is reached, so the customer left it."
            following, ended = END, Verdict("exited", reason, {"goal_time_ms": str(run.goal_ms)})
    if following == END:
        give_receipt(ended, run, candidate.arm, at, profile)
        return None
    return _replace(run, step=following, due_ms=due_ms)
