"""What a record may say of time: no later than the broker's clock when it was appended.

A worker, a producer or a person with a wrong clock, or a foreign hand, may write anything. What decides must not move
into the future by it, for time never falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import (
    Absorbed,
    AddressConsent,
    AddressNotice,
    CollectedTo,
    Link,
    ModelTick,
    OrderTold,
    Progress,
    Unlink,
)
from schemas.limits import TIME_AHEAD_MS_MAX
from schemas.touchpoint import Touchpoint
from streams.fold.moment import Rejected

if TYPE_CHECKING:
    from streams.fold.record import Record

NEVER_MS: Final = 1 << 62
_replace = msgspec.structs.replace


def bounded_in_time(record: Record) -> tuple[Record, int]:
    """Return a record whose append time is known, and the latest time that it may speak of.

    A customer's own record is not lost for its times: they are bounded.

    Raises:
        Rejected: it moves the time of all customers, or names models of a time to come.
    """
    until_ms, value = record.appended_ms + TIME_AHEAD_MS_MAX, record.value
    if isinstance(value, Touchpoint):
        if record.received_ms > until_ms:
            record = _replace(record, received_ms=until_ms)
    elif isinstance(value, (Link, Unlink, Absorbed, AddressConsent, AddressNotice, OrderTold)):
        if value.time_ms > until_ms:
            value = _replace(value, time_ms=until_ms)
        if isinstance(value, AddressNotice) and value.received_ms > until_ms:
            value = _replace(value, received_ms=until_ms)
        if value is not record.value:
            record = _replace(record, value=value)
    elif isinstance(value, (Progress, CollectedTo, ModelTick)):
        _check(value, until_ms)
    return record, until_ms


def _check(value: Progress | CollectedTo | ModelTick, until_ms: int) -> None:
    times = (value,) if isinstance(value, ModelTick) else value.partitions
    said_ms = max([each.time_ms for each in times], default=0)
    if said_ms > until_ms:
        raise Rejected(
            "ahead_of_time",
            f"a {type(value).__name__} says that time has come to {said_ms}, but the broker that appended it had "
            f"{until_ms - TIME_AHEAD_MS_MAX}: at most {TIME_AHEAD_MS_MAX} ms more are allowed",
        )
