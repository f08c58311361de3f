"""Profiles as state bytes: a msgpack array behind the store's frame; older versions are upgraded on read."""

from __future__ import annotations

import msgspec

from state.codec import frame, open_frame
from streams.profiles.profile import Profile

VERSION = 1


class NewerState(RuntimeError):
    """State written by a later release: this worker must not touch it."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Profile).decode


def encode_profile(profile: Profile) -> bytes:
    """Framed bytes; the frame's due time is the profile's entry in the timer index."""
    return frame(VERSION, profile.wake_ms, _encode(profile))


def decode_profile(value: bytes) -> Profile:
    """The profile in framed bytes.

    Raises:
        NewerState: written by a later release.
    """
    version, _, payload = open_frame(value)
    if version > VERSION:
        raise NewerState(f"a profile of version {version}; this release reads up to {VERSION}: run the newer release")
    return _decode(payload)
