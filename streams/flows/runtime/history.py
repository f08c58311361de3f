"""A young shop is cold: a flow about absence decides nothing before the shop's history spans what the flow needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from schemas.limits import ENTRY_TIMERS_MAX
from schemas.units import DAY_MS, WEEK_MS
from streams.flows.language.durations import duration_text

if TYPE_CHECKING:
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile


def too_young(plan: CompiledFlow, at: Moment) -> str | None:
    """Return why the shop is too young for a flow, for people; None: it is not. An unknown history is none."""
    if not plan.history_ms or at.rules < RULES_3:
        return None
    age_ms = at.now_ms - at.first_event_ms
    if not at.first_event_ms:
        said = "it is not known yet how long the shop's is"
    elif age_ms < plan.history_ms:
        said = f"the shop's is {max(age_ms, 0) // DAY_MS}d long"
    else:
        return None
    return f"The flow needs a history of {duration_text(plan.history_ms)}, but {said}, so no message was sent."


def with_later_entry(profile: Profile, plan: CompiledFlow, at: Moment) -> Profile:
    """Return the profile with a timer that tries a flow with a floor again once the shop may have its history."""
    if not plan.floor_ms:
        return profile
    due_ms = at.first_event_ms + plan.history_ms if at.first_event_ms else at.now_ms + WEEK_MS
    others = [timer for timer in profile.entry_timers if timer[0] != plan.key]
    timers = tuple(sorted([*others, (plan.key, due_ms)])[:ENTRY_TIMERS_MAX])
    return msgspec.structs.replace(profile, entry_timers=timers)
