"""The short form in which the touches, conversions and unwritten credit of one profile are stored."""

from __future__ import annotations

import msgspec

PackedTouch = tuple[int, int, int, int, int, bool]
"""(time_ms, id_hash, place of the channel, place of the campaign or -1, session_hash, is_view)."""
PackedConversion = tuple[str, int, int, str, bytes, int]
"""A Conversion whose path is places in the list of touches, two bytes each, big-endian."""


class Trail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The touches, conversions and unwritten credit of one profile, in short form: see `trail`.

    It is here because mypyc, which compiles that module, forgets of what a field's tuples are made.
    """

    names: tuple[str, ...]
    """Channels and campaigns."""
    all_touches: tuple[PackedTouch, ...]
    """Every touch that is a touch of the profile or in a path."""
    touches: bytes
    conversions: tuple[PackedConversion, ...]
    uncredited: tuple[tuple[str, tuple[PackedConversion, ...]], ...]
