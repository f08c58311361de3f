"""When the rest of a customer's credit is written: before the partition's time moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

CREDIT: Final = "credit"
"""The name of the timer that writes a slice."""
ALL: Final = "watermark"
"""Parked under this name, none of a customer's timers fires: what wakes the idle customer raised."""


def with_credit_due(before: Profile, after: Profile, at: FoldMoment) -> Profile:
    """Set the timer of credit that has just become unwritten: just above the partition's time.

    So it is the first that the next progress of time fires, and what is complete stays below it until all is written.
    """
    if not after.uncredited or before.uncredited:
        return after
    return msgspec.structs.replace(after, uncredited_ms=(at.known.watermark_ms or 0) + 1)


def is_credit_due(profile: Profile) -> bool:
    """Return whether credit is to be written, and the code for it has not raised."""
    return bool(profile.uncredited) and CREDIT not in profile.parked and ALL not in profile.parked
