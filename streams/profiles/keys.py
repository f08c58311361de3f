"""Kinds of key: a key is a kind and an id, such as u:17."""

from __future__ import annotations

from typing import Final

USER: Final = "u:"
DEVICE: Final = "a:"
ADDRESS: Final = "e:"
"""An e-mail address, by its hash."""
ORDER: Final = "o:"
"""A guest's order, o:<order id>; from rules 4 on also any order's entry, o:/<hash of its id>."""
SPEND: Final = "s:"
"""A channel on which money is spent."""

FREED: Final = "f:"
"""No key, but a mark among the users of a device: a person logged out at the time that follows, in ms."""
ASKED: Final = "w:"
"""No key, but a mark among the keys of a user: w:<user ids>:<key>, a user who is to become one with this one.

With 0 ids the link waits. Else room for so many is kept, and the other profile is about to come.
"""

KEPT: Final = "k:"
"""No key of the journal, but begins one of the state: what a survivor was before they absorbed a user."""
KEPT_ABSORBED: Final = "m:"
"""No key of the journal, but begins one of the state: the profile of that user when the survivor absorbed it."""


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
