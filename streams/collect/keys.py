"""Under which key a touchpoint travels: the customer, or what stands in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles import keys

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

_USER, _DEVICE, _ORDER = keys.USER.encode(), keys.DEVICE.encode(), keys.ORDER.encode()
_SPEND, _ADDRESS = keys.SPEND.encode(), keys.ADDRESS.encode()


def key_of(touchpoint: Touchpoint) -> bytes | None:
    """UTF-8 of u:<user>, a:<device>, o:<guest's order>, s:<channel of spend> or e:<address's hash>; None without an id.

    The first that there is, in this order; an empty id is none.
    """
    if touchpoint.user_id:
        return _USER + touchpoint.user_id.encode()
    if touchpoint.anonymous_id:
        return _DEVICE + touchpoint.anonymous_id.encode()
    if touchpoint.order and touchpoint.order.order_id:
        return _ORDER + touchpoint.order.order_id.encode()
    if touchpoint.spend and touchpoint.channel:
        return _SPEND + touchpoint.channel.encode()
    if touchpoint.email_hash:
        return _ADDRESS + touchpoint.email_hash.encode()
    return None
