"""The form of a value in a store: `version byte | due_ms, 8 bytes big-endian, 0 = none | payload`.

The due time is outside of the payload. So the timer index can be derived without knowing what is stored, also while a
changelog is read back.
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol, TypeVar

T = TypeVar("T")

_HEAD = Struct(">BQ")
DUE_START, DUE_END = 1, _HEAD.size
DUE_MS_MAX = (1 << 63) - 1


class NewerState(Exception):
    """State was written by a later release, so this worker must not touch it."""


class Codec(Protocol[T]):
    """Turns values of one kind into framed bytes and back."""

    def encode(self, key: bytes, value: T) -> bytes:
        """Return the framed bytes; their due time is the one that `Overlay.put` got."""
        ...

    def decode(self, key: bytes, value: bytes) -> T:
        """Reverse `encode`, for every version that was ever written."""
        ...


def frame(version: int, due_ms: int, payload: bytes) -> bytes:
    """Put a head before `payload`; version 0..255, due_ms 0 (no timer) .. 2**63 - 1."""
    return _HEAD.pack(version, due_ms) + payload


def due_of(value: bytes) -> int:
    """Return the due time of a framed value in ms since 1970; 0: it has no timer."""
    return int.from_bytes(value[DUE_START:DUE_END], "big")


def open_frame(value: bytes) -> tuple[int, int, bytes]:
    """Split a framed value into version, due_ms and payload.

    Raises:
        ValueError: it is too short to be one.
    """
    if len(value) < _HEAD.size:
        raise ValueError(f"a framed value has at least {_HEAD.size} bytes, not {len(value)}: {value!r}")
    version, due_ms = _HEAD.unpack_from(value)
    return version, due_ms, value[_HEAD.size :]


def open_version(value: bytes, newest: int, what: str) -> tuple[int, bytes]:
    """Split a framed value into version and payload.

    Raises:
        NewerState: its version is above `newest`; the message names `what` it is.
    """
    version, _, payload = open_frame(value)
    if version > newest:
        raise NewerState(
            f"{what} of version {version} was written by a later release; this release reads up to {newest}"
        )
    return version, payload
