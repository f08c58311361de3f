"""What ends in a profile when an order's entry says what happened to an order, or that it is someone else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.flows.runtime.ending import without_ended_by
from streams.flows.runtime.pending import Ending, taken_back, without_ended
from streams.profiles.order_changes import CANCELLED, TYPES, acting, state_of

if TYPE_CHECKING:
    from streams.fold.moment import FoldMoment
    from streams.profiles.order_changes import Changes
    from streams.profiles.profile import PendingMessage, Profile, Run

_LOST = "The order with which this began turned out to be someone else's, so the message was taken back."
_replace = msgspec.structs.replace


def after_changes(profile: Profile, before: Changes, after: Changes, at: FoldMoment) -> Profile:
    """End candidates and messages that what is new of an order ends, or that began with an order of someone else.

    These end where their flow ends on a cancellation. If the order is someone else's, `after` is empty.
    """
    was, state = state_of(before), state_of(after)
    if not after:
        return profile if was is None else _without_begun(profile, was.first.time_ms, at)
    acted, flows = acting(before), at.known.flows
    for change in acting(after):
        if change in acted or change.kind not in TYPES:
            continue
        event_type = TYPES[change.kind]
        time_ms = change.time_ms if state is None else max(change.time_ms, state.first.time_ms)
        runs = without_ended_by(profile.runs, event_type, time_ms, flows, at)
        if runs is not profile.runs:
            profile = _replace(profile, runs=runs)
        if profile.pending:
            profile = without_ended(profile, Ending(event_type, time_ms, change.time_ms), flows, at)
    return profile


def _without_begun(profile: Profile, order_ms: int, at: FoldMoment) -> Profile:
    """Return the profile without the candidates and messages that an order of this time began."""
    flows, cancelled = at.known.flows, TYPES[CANCELLED]
    begun = tuple([run for run in profile.runs if _entry_ms(run) == order_ms])
    if begun:
        kept = without_ended_by(begun, cancelled, order_ms, flows, at)
        runs = tuple([run for run in profile.runs if run not in begun or run in kept])
        if len(runs) < len(profile.runs):
            profile = _replace(profile, runs=runs)

    def is_taken_back(message: PendingMessage) -> bool:
        plan = flows.plan_of(message.run, at.customer) if _entry_ms(message.run) == order_ms else None
        return plan is not None and cancelled in plan.flow.exit_events

    return taken_back(profile, is_taken_back, _LOST, {}, at) if profile.pending else profile


def _entry_ms(run: Run) -> int:
    return run.last_entry_ms or run.entered_ms
