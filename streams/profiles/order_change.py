"""What happened to an order, as a profile keeps it."""

from __future__ import annotations

import msgspec


class OrderChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What happened to an order, from rules 3 on; the set of all that did gives its state, in any order of arrival."""

    time_ms: int
    id_hash: int
    """xxh3-64 of the event id; 0 for a completion, as two at one time do no more than one."""
    order_hash: int
    """xxh3-64 of the order id; 0: earlier rules did not keep it."""
    minor: int
    kind: int
    """SETTLED, COMPLETED, REFUNDED, CANCELLED or REFUNDED_WHOLE, as `order_changes` names them."""
    currency: str
    """Empty: the reporting currency."""
    is_browser: bool = False
    """Whether its source is none of `server_sources`, if any are named; earlier rules do not ask."""


class Adjustment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A refund that matches no order of the profile, by rules 1 and 2; it lowers the spend of its window."""

    time_ms: int
    minor: int
    id_hash: int
