"""Where the shop's history begins: the hour of the earliest touchpoint by event time, imported ones included.

Flows about absence ask for it: in a shop of two weeks everyone is recent, whatever their segment says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.units import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import Count

HISTORY: Final = b"history"
_EVENTS = "touchpoints"


class History(msgspec.Struct, frozen=True, array_like=True, tag="history"):
    """From rules 3 on: the hour of the earliest event that was counted. It only falls."""

    first_ms: int


def with_counts(held: History | None, counts: Iterable[Count]) -> History | None:
    """Return the history with the hours of more events; the same object if it begins no earlier."""
    hours = [count.hour_ms for count in counts if count.name == _EVENTS and count.hour_ms and count.value > 0]
    first_ms = min(hours, default=0)
    return held if not first_ms or (held is not None and held.first_ms <= first_ms) else History(first_ms)


def of_earlier_rules(spoken_ms: Iterable[int | None]) -> History | None:
    """Return what is known where earlier rules counted no history: when a journal partition first spoke of time."""
    first_ms = min([each for each in spoken_ms if each is not None], default=0)
    return History(first_ms - first_ms % HOUR_MS) if first_ms > 0 else None
