"""Kinds of key: a key is its kind and an id, as u:17."""

from __future__ import annotations

from typing import Final

USER: Final = "u:"
DEVICE: Final = "a:"
ADDRESS: Final = "e:"
"""An e-mail address, by its hash."""
ORDER: Final = "o:"
"""A guest's order."""
SPEND: Final = "s:"
"""A channel that money is spent on."""


def is_user(key: str) -> bool:
    return key.startswith(USER)


def is_device(key: str) -> bool:
    return key.startswith(DEVICE)


def is_address(key: str) -> bool:
    return key.startswith(ADDRESS)


def is_customer(key: str) -> bool:
    """Users and devices are customers; a guest's order, an address and a channel of spend are not."""
    return key.startswith((USER, DEVICE))


def is_entry(key: str) -> bool:
    """A guest's order or spend: counted, and not kept as a profile."""
    return key.startswith((ORDER, SPEND))
