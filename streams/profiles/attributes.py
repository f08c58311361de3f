"""What a profile keeps of a customer's attributes; uncompiled, as `profile`."""

from __future__ import annotations

import msgspec


class First(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that is kept as it was the first time."""

    time_ms: int
    text: str


class Attributes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The attributes of a customer."""

    texts: dict[str, str] = {}
    """Traits as canonical text, in the order of their names. The same object stays while only times change.

    Empty: it was taken away. That is kept, so that an earlier value that comes in later does not bring it back.
    """
    times: tuple[int, ...] = ()
    """When each was said, in the same order: by event time, but no later than it was received."""
    channel: First | None = None
    """Of the first marketing touch."""
    signup_source: First | None = None
    """The source of the first signed_up."""
    country: First | None = None
    """The first that an own event named."""


NONE = Attributes()
