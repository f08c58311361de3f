"""What an order's entry keeps: who claims the order, and all that happened to it."""

from __future__ import annotations

import msgspec

from streams.profiles.order_change import OrderChange


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why an order may be a profile's: the best of its events, by what they name and where they come from."""

    is_refund: bool
    """Whether the profile knows only that the order was taken back; then any that knows its completion goes before."""
    named: int
    """USER, ADDRESS, DEVICE or NOBODY, as `claims` names them."""
    is_browser: bool
    """Whether the event's source is none of `server_sources`."""
    event_id: str
    """Of several such events the smallest id."""
    customer: str
    """Key of the profile."""
    as_user: tuple[bool, str]
    """(is_browser, event_id) of its best event, whatever that names: once a user absorbs it, all of them name one."""
    was_refused: bool = False
    """Whether the profile was ever answered that it is not the owner.

    The answer may meet it after it sent what it knows, so it gets all that is known whenever it owns the order.
    """


class OrderEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order as its own key keeps it."""

    claims: tuple[Claim, ...]
    """In order: the first one's profile is the owner."""
    changes: tuple[OrderChange, ...]
    """By time."""
    order_id: str = ""
    """With its shop before it, unless that is the default one; empty: profiles knew only its hash so far."""
