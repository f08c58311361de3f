"""Values of what insights know of the data that comes in; the modules that use them say what they mean."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.insights import Anomaly

SOURCES: Final = b"sources"
SILENCES: Final = b"silences"
_IN_BATCHES: Final = 0.5
"""A source that fills less than this share of the parts that chance would fill sends in batches."""
_BUSY_MIN: Final = 3


class Sources(msgspec.Struct, frozen=True, array_like=True, tag="sources"):
    """(source, type) that are kept apart, in the order in which they came; others are added up."""

    series: tuple[tuple[str, str], ...] = ()
    judged_ms: int = 0
    """Up to when silence was judged."""
    days: tuple[int, ...] = ()
    """The last days on which anything came in, as numbers of days since 1970 in the shop's time zone."""


class Pulse(msgspec.Struct, frozen=True, array_like=True, tag="pulse"):
    """The newest hour of a series. All counts are of touchpoints received within a day of their time."""

    first_ms: int = 0
    last_ms: int = 0
    hour_ms: int = 0
    count: int = 0
    bins: int = 0
    bins_seen: int = 0
    bins_due: float = 0.0
    """Parts of earlier hours that had touchpoints, and as many as would have by chance."""

    @property
    def is_in_batches(self) -> bool:
        """Return whether many come at once, so that within an hour nothing is due evenly."""
        return self.bins_due >= _BUSY_MIN and self.bins_seen < _IN_BATCHES * self.bins_due


class Past(msgspec.Struct, frozen=True, array_like=True, tag="past"):
    """Counts of a series by hour since 1970, before its newest; hours without any are left out."""

    hours: dict[int, int]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A field."""

    kind: str
    shares: tuple[int, ...] = ()
    """Of a thousand touchpoints looked at, in the last days; 0 before the field came."""
    count: int = 0
    """In the day that is counted."""
    away: int = 0
    """Touchpoints looked at since it was last seen."""
    longest: int = 0
    """The most of them before it came back."""
    odd_kind: str = ""
    odd: int = 0
    """Touchpoints since it was last of its kind in which it was of another."""


class Drift(msgspec.Struct, frozen=True, array_like=True):
    """A drift for which there was an alert, and how often the field has been as before since."""

    raised: Anomaly
    back: int = 0


class Shape(msgspec.Struct, frozen=True, array_like=True, tag="shape"):
    """The fields of a series."""

    fields: dict[str, Seen] = {}
    looked: int = 0
    """In the day that is counted."""
    day: int = 0
    days: int = 0
    """That were counted, as far as they are kept."""
    drifts: dict[str, Drift] = {}


class Silent(msgspec.Struct, frozen=True, array_like=True):
    """A series that is silent, or has just come in again."""

    raised: Anomaly
    back_ms: int = 0
    """When it came in again; 0: it has not."""
    count: int = 0
    """Since then."""


class Silences(msgspec.Struct, frozen=True, array_like=True, tag="silences"):
    """Silent series by `source|type`, and the flows that hold because of them, with the reason."""

    open: dict[str, Silent] = {}
    held: dict[str, str] = {}
