"""A record of the journal, as the fold takes it."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.journal import Absorbed, AddressConsent, Link, Unparked
from schemas.touchpoint import Touchpoint

AGAIN = "again"
"""Header of a record that waits: it was appended again because earlier work of its customer came first."""


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

    @property
    def is_of_customer(self) -> bool:
        """Return whether it changes one profile only, so that it can be set aside without harm to others."""
        return isinstance(self.value, (Touchpoint, Link, Absorbed, AddressConsent, Unparked))


def journal_headers(received_ms: int, hops: int = 0) -> tuple[tuple[str, bytes], ...]:
    """Return the headers of a touchpoint in the journal: receive time, and hops once it was forwarded.

    The receive time has 8 bytes, big-endian; hops have one.
    """
    received = ("received_at_ms", received_ms.to_bytes(8, "big"))
    return (received, ("hops", bytes([hops]))) if hops else (received,)


def waiting_headers(record: Record) -> tuple[tuple[str, bytes], ...]:
    """Return the headers of a record that is appended again under its key."""
    kept = journal_headers(record.received_ms, record.hops) if isinstance(record.value, Touchpoint) else ()
    return (*kept, (AGAIN, b""))
