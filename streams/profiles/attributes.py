"""What a profile keeps of a customer's attributes; uncompiled, as `profile`."""

from __future__ import annotations

import msgspec


class Trait(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An attribute of a customer, as canonical text."""

    name: str
    text: str
    """Empty: it was taken away. That is kept, so that an earlier value that comes in later does not bring it back."""
    time_ms: int
    """When it was said: by event time, but no later than it was received."""


class First(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that is kept as it was the first time."""

    time_ms: int
    text: str


class Attributes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The attributes of a customer."""

    traits: tuple[Trait, ...] = ()
    """By name."""
    channel: First | None = None
    """Of the first marketing touch."""
    signup_source: First | None = None
    """The source of the first signed_up."""
    country: First | None = None
    """The first that an own event named."""


NONE = Attributes()
