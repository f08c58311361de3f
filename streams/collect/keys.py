"""The key under which a touchpoint goes to the journal: its customer, or what replaces one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles import keys

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

_USER, _DEVICE, _ORDER = keys.USER.encode(), keys.DEVICE.encode(), keys.ORDER.encode()
_SPEND, _ADDRESS = keys.SPEND.encode(), keys.ADDRESS.encode()


def key_of(touchpoint: Touchpoint) -> bytes | None:
    """Return the key in UTF-8; None: the touchpoint has no id.

    It is the first that there is of u:<user>, a:<device>, o:<guest's order>, s:<channel of spend>, e:<address's hash>.
    An empty id is none.
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
