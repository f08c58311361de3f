"""Touches of a customer."""

from __future__ import annotations

from itertools import count

from schemas.units import DAY_MS, HOUR_MS
from streams.profiles.profile import Touch

NOW_MS = 1_700_000_000_000 - 1_700_000_000_000 % DAY_MS
_ids = count()


def a_touch(
    channel: str = "email",
    time_ms: int = NOW_MS - HOUR_MS,
    *,
    session: int = 0,
    is_view: bool = False,
    id_hash: int = 0,
) -> Touch:
    return Touch(time_ms, id_hash or next(_ids) + 1, channel, None, session, is_view)
