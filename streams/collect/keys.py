"""The key of a touchpoint: the customer, or a substitute."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


def key_of(touchpoint: Touchpoint) -> bytes | None:
    """Return u:<user>, a:<device>, o:<guest's order>, s:<channel of spend> or e:<address's hash>; None without an id.

    It is the first that exists, in this order, as UTF-8; an empty id does not exist.
    """
    if touchpoint.user_id:
        return b"u:" + touchpoint.user_id.encode()
    if touchpoint.anonymous_id:
        return b"a:" + touchpoint.anonymous_id.encode()
    if touchpoint.order and touchpoint.order.order_id:
        return b"o:" + touchpoint.order.order_id.encode()
    if touchpoint.spend and touchpoint.channel:
        return b"s:" + touchpoint.channel.encode()
    if touchpoint.email_hash:
        return b"e:" + touchpoint.email_hash.encode()
    return None
