"""A record of the journal, as the fold takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.journal import (
    Absorbed,
    AddressConsent,
    AddressNotice,
    Landed,
    Link,
    OrderOwned,
    OrderTold,
    SlotAnswered,
    SlotAsked,
    SlotsDue,
    UndoMerge,
    Unlink,
    Unparked,
)
from schemas.touchpoint import Touchpoint
from streams.profiles.effects import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILED_TIMERS = "failed_timers"
"""Header of a record in a copied journal: a JSON array of [customer, timer, firing] that failed as it fired them."""
AGAIN = "again"
"""Header of a record that waits: it was appended again because earlier work of its customer came first."""

IMPORTED = "imported"
"""Header of a touchpoint of the past that an import brought."""

_OF_CUSTOMERS: Final = (
    Touchpoint,
    Link,
    Unlink,
    UndoMerge,
    Absorbed,
    AddressConsent,
    AddressNotice,
    OrderTold,
    OrderOwned,
    SlotAsked,
    SlotAnswered,
    SlotsDue,
    Unparked,
    Landed,
)
_NEVER = (1 << 62, "")


class Record(msgspec.Struct, frozen=True, gc=False):
    """A journal record as it was read."""

    key: str
    value: Any
    raw: bytes
    received_ms: int
    """Receive time of a touchpoint."""
    hops: int
    is_copy: bool = False
    """Copied from another prefix with what it led to, which must not be appended again."""
    appended_ms: int = 0
    """When a broker appended it, by the broker's clock; of a copy, its original. 0: no broker said so."""
    is_again: bool = False
    """It waited, and has been in the journal before."""
    guard: Guard | None = None
    """Is asked before each timer that the record fires."""
    is_imported: bool = False
    """A touchpoint of the past that an import brought."""

    @property
    def is_of_customer(self) -> bool:
        """Return whether it changes one profile only, so that it can be set aside without harm to others."""
        return isinstance(self.value, _OF_CUSTOMERS)


class TimerSetAside(Exception):
    """A timer that hangs, or that raised when its record was folded for the first time."""


class Failing:
    """A guard that fails timers as if their code had raised."""

    def __init__(self, timers: Mapping[tuple[str, str], tuple[int, str]]) -> None:
        """`timers` has by (customer, timer) from which of the customer's firings on it fails, and why."""
        self._timers = timers

    def __call__(self, customer: str, timer: str, firing: int) -> None:
        """Raise TimerSetAside for one of the timers."""
        first, why = self._timers.get((customer, timer), _NEVER)
        if firing >= first:
            raise TimerSetAside(why)


class Both:
    """Two guards of one record, one after the other."""

    def __init__(self, one: Guard, other: Guard) -> None:
        self._one, self._other = one, other

    def __call__(self, customer: str, timer: str, firing: int) -> None:
        """Call both."""
        self._one(customer, timer, firing)
        self._other(customer, timer, firing)


def journal_headers(received_ms: int, hops: int = 0, *, is_imported: bool = False) -> tuple[tuple[str, bytes], ...]:
    """Return the headers of a touchpoint in the journal: receive time, and hops once it was forwarded.

    The receive time has 8 bytes, big-endian; hops have one. The mark of an import is empty.
    """
    received = ("received_at_ms", received_ms.to_bytes(8, "big"))
    headers = (received, ("hops", bytes([hops]))) if hops else (received,)
    return (*headers, (IMPORTED, b"")) if is_imported else headers


def waiting_headers(record: Record) -> tuple[tuple[str, bytes], ...]:
    """Return the headers of a record that is appended again under its key."""
    kept: tuple[tuple[str, bytes], ...] = ()
    if isinstance(record.value, Touchpoint):
        kept = journal_headers(record.received_ms, record.hops, is_imported=record.is_imported)
    return (*kept, (AGAIN, b""))
