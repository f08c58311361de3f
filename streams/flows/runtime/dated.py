"""Entry by a date, or by a segment from a floor on: a timer is at the time that the profile gives, and moves with it.

A segment starts a flow with a floor only when the customer is away for that long. Who is in the segment before that
would not move into it again, so a timer is at the floor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from schemas.limits import ENTRY_TIMERS_MAX
from streams.flows.language.fields import TRAIT, date_ms
from streams.flows.runtime.entering import entered_by_date, entered_by_segment
from streams.profiles.days import local_day, next_yearly_ms, time_in_year
from streams.profiles.orders import last_order_ms
from streams.profiles.rfm import segment_of
from streams.profiles.traits import trait
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def with_entry_timers(profile: Profile, flow_set: FlowSet, at: Moment) -> Profile:
    """Return the profile with a timer for each entry by a date that is to come; the same object if none changes.

    While an import brings a customer's past, dates are those of a part of it, so none is set.
    """
    if profile.landing is not None:
        return profile
    before = profile.entry_timers
    timers = []
    last_ms = last_order_ms(profile) if at.rules >= RULES_3 else None
    for plan in flow_set.dates:
        due_ms = None if plan.floor_ms else _date_ms(profile, plan, at)
        # who comes into a segment after the floor enters then
        if plan.floor_ms and last_ms is not None and _is_in_segment(profile, plan):
            due_ms = last_ms + plan.floor_ms
        if due_ms is None or (plan.is_shared and not flow_set.may_enter(plan, at.customer)):
            continue
        timer = plan.key, due_ms
        # several may be due at once and fire one after the other, so a timer that is already due stays
        if due_ms > at.now_ms or timer in before:
            timers.append(timer)
        elif plan.floor_ms:
            # the customer is past the floor and waits for the shop's history
            timers += [each for each in before if each[0] == plan.key]
    kept = tuple(timers) if at.rules == 1 else tuple(timers[:ENTRY_TIMERS_MAX])
    return profile if kept == before else _replace(profile, entry_timers=kept)


def on_date(profile: Profile, key: str, due_ms: int, flow_set: FlowSet, at: Moment) -> Profile:
    """Return the profile after a flow's entry timer fired.

    The customer enters if the flow that holds now still gives that time.
    """
    is_old = at.now_ms - due_ms > at.settings.entry_age_max_ms
    remaining = tuple([timer for timer in profile.entry_timers if timer[0] != key])
    profile = with_entry_timers(_replace(profile, entry_timers=remaining), flow_set, at)
    for plan in flow_set.dates:
        if plan.key != key or not flow_set.may_enter(plan, at.customer):
            continue
        if plan.entry is not None and not plan.entry(profile, None, at.now_ms):
            continue
        if plan.floor_ms:
            if at.rules >= RULES_3 and _is_in_segment(profile, plan):
                profile = entered_by_segment(profile, plan, segment_of(profile.score), at, is_old=is_old)
        elif _is_due(profile, plan, due_ms, at):
            profile = entered_by_date(profile, plan, due_ms, at, is_old=is_old)
    return profile


def _is_in_segment(profile: Profile, plan: CompiledFlow) -> bool:
    return segment_of(profile.score) in (plan.flow.entry.segment or ())


def _date_ms(profile: Profile, plan: CompiledFlow, at: Moment) -> int | None:
    """Return when the date of a flow lets the customer in; None: it has no date, or the profile does not.

    Of a date in every year it is a timer that is already due, or else the next one.
    """
    entry = plan.flow.entry
    if entry.date is None:
        return None
    if not entry.yearly:
        return date_ms(entry.date, profile, at.settings.reporting_time_zone, entry.shift_ms)
    text = trait(profile.attributes, entry.date.removeprefix(TRAIT))
    if text is None:
        return None
    for key, due_ms in profile.entry_timers:
        if key == plan.key and due_ms <= at.now_ms and _is_due(profile, plan, due_ms, at):
            return due_ms
    return next_yearly_ms(text, at.now_ms, zone_of(profile.time_zone, at.settings.reporting_time_zone), entry.shift_ms)


def _is_due(profile: Profile, plan: CompiledFlow, due_ms: int, at: Moment) -> bool:
    """Return whether the date of a flow still lets the customer in at a time."""
    entry = plan.flow.entry
    if not entry.yearly:
        return _date_ms(profile, plan, at) == due_ms
    text = trait(profile.attributes, (entry.date or "").removeprefix(TRAIT))
    if text is None:
        return False
    zone = zone_of(profile.time_zone, at.settings.reporting_time_zone)
    year = local_day(due_ms - entry.shift_ms, zone).year
    # a shift over a change of clocks may move the day by an hour, into another year
    return due_ms in {time_in_year(text, number, zone, entry.shift_ms) for number in (year - 1, year, year + 1)}
