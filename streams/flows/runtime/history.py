"""A young shop is cold: a flow about absence decides nothing before the shop's history spans what the flow needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import FLOORS_FROM
from schemas.limits import ENTRY_TIMERS_MAX
from schemas.units import DAY_MS, WEEK_MS
from streams.flows.language.durations import duration_text
from streams.flows.runtime.receipts import Verdict

if TYPE_CHECKING:
    from streams.flows.language.flow_set import CompiledFlow
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile


def cold(plan: CompiledFlow, evidence: dict[str, str], at: Moment) -> Verdict | None:
    """Return the verdict on a message for which the shop is too young; None: it is not. An unknown history is none."""
    if not plan.history_ms or at.rules < FLOORS_FROM:
        return None
    first_ms, needed = at.first_event_ms, f"The flow needs a history of {duration_text(plan.history_ms)}"
    age_ms = at.now_ms - first_ms
    if first_ms and age_ms >= plan.history_ms:
        return None
    said = f"the shop's history is {max(age_ms, 0) // DAY_MS}d long" if first_ms else "no week has said how long it is"
    shown = {"first_event_ms": str(first_ms)} if first_ms else {}
    return Verdict("cold", f"{needed}, but {said}, so no message was sent.", evidence | shown)


def with_later_entry(profile: Profile, plan: CompiledFlow, at: Moment) -> Profile:
    """Return the profile with a timer that tries a flow with a floor again once the shop may have its history."""
    if not plan.floor_ms:
        return profile
    due_ms = at.first_event_ms + plan.history_ms if at.first_event_ms else at.now_ms + WEEK_MS
    others = [timer for timer in profile.entry_timers if timer[0] != plan.key]
    timers = tuple(sorted([*others, (plan.key, due_ms)])[:ENTRY_TIMERS_MAX])
    return msgspec.structs.replace(profile, entry_timers=timers)
