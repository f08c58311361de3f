"""Time zones by the names that touchpoints give."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.zones import NAMES


@lru_cache(maxsize=1024)
def zone_of(name: str | None, default: str) -> ZoneInfo:
    """Return the zone of that name, or the default one if there is no such zone (schemas/zones.py).

    Raises:
        OSError: the machine cannot read the zone now, for example without a free file descriptor.
    """
    return ZoneInfo(name if name in NAMES else default)
