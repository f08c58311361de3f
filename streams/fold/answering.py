"""Folds opens and clicks of messages: how engaged customers are, and at which hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.flows.runtime.hours import hour_of
from streams.fold.addressing import prove
from streams.profiles.answered import CHANNEL_OF, united_answered
from streams.profiles.hours import with_hour
from streams.profiles.slots import with_answer
from streams.profiles.statement import EMAIL
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def answered(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after a person opened or clicked a message."""
    if profile.mailboxes and CHANNEL_OF[event.type] == EMAIL:
        profile = prove(profile, event, at)
    zone = zone_of(profile.time_zone, at.settings.reporting_time_zone)
    return _replace(
        profile,
        answers=with_answer(profile.answers, event.time_ms, at.now_ms),
        hours=with_hour(profile.hours, hour_of(event.time_ms, zone)),
        answered=united_answered((*profile.answered, (CHANNEL_OF[event.type], event.time_ms))),
    )
