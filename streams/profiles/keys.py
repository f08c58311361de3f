"""Kinds of key: a key is a kind and an id, such as u:17."""

from __future__ import annotations

from typing import Final

USER: Final = "u:"
DEVICE: Final = "a:"
ADDRESS: Final = "e:"
"""An e-mail address, by its hash."""
ORDER: Final = "o:"
"""A guest's order."""
SPEND: Final = "s:"
"""A channel on which money is spent."""


def is_user(key: str) -> bool:
    return key.startswith(USER)


def is_device(key: str) -> bool:
    return key.startswith(DEVICE)


def is_address(key: str) -> bool:
    return key.startswith(ADDRESS)


def is_customer(key: str) -> bool:
    """Return whether the key is of a user or a device; an address, a guest's order and a spend channel are not."""
    return key.startswith((USER, DEVICE))


def is_entry(key: str) -> bool:
    """Return whether the key is of a guest's order or a spend channel, which have no public profile."""
    return key.startswith((ORDER, SPEND))
