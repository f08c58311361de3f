"""Profiles as state bytes: a msgpack array behind the store's frame, where older versions are upgraded on read."""

from __future__ import annotations

from typing import Any

import msgspec

from state.codec import frame, open_version
from streams.profiles.profile import Profile

VERSION = 4
_SESSION_V1 = slice(14, 16)
"""Where version 1 had session_hash and session_ordered."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Profile).decode


def encode_profile(profile: Profile) -> bytes:
    """Return the framed bytes; the frame's due time is the profile's entry in the timer index."""
    return frame(VERSION, profile.wake_ms, _encode(profile))


def decode_profile(value: bytes) -> Profile:
    """Return the profile in framed bytes.

    Raises:
        NewerState: written by a later release.
    """
    version, payload = open_version(value, VERSION, "a profile")
    # versions 2 and 3 lack the last fields, whose defaults mean the same as their absence
    return _decode(payload if version > 1 else _from_version_1(payload))


def _from_version_1(payload: bytes) -> bytes:
    """Upgrade the payload of version 1, which had the last session and whether it ordered.

    It did not have when they were counted: the customer's clock is the nearest.
    """
    fields = msgspec.msgpack.decode(payload, type=list[Any])
    clock_ms, (session_hash, has_ordered) = fields[0], fields[_SESSION_V1]
    fields[_SESSION_V1] = [[(clock_ms, session_hash, clock_ms if has_ordered else 0)] if session_hash else []]
    return _encode(fields)
