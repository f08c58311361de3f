"""Promotional messages to an address that several profiles have: what it got, what it was asked, and who waits."""

from __future__ import annotations

import msgspec


class Asked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A held message for which the address was asked, because other profiles have it too."""

    id_hash: int
    """xxh3-64 of its candidate's id."""
    until_ms: int
    """Watermark at which the address is asked again."""
    times: int = 1
    """How often it was asked."""


class Granted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A promotional message that went to the address, or is to go there."""

    time_ms: int
    """When it goes out."""
    id_hash: int
    """xxh3-64 of its candidate's id."""


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A promotional message for which the address was asked."""

    decided_ms: int
    goes_ms: int
    customer: str
    """Key of the profile that asked."""
    candidate_id: str
    limits: tuple[tuple[int, int], ...]
    """(messages, in so many ms)."""


class AddressEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The promotional messages of all profiles of an address."""

    granted: tuple[Granted, ...] = ()
    """By (time_ms, id_hash)."""
    waiting: tuple[Waiting, ...] = ()
    """In the order in which they came."""
    due_ms: int = 0
    """The watermark when it began to wait for others that ask; 0: it does not."""
