"""The key under which a touchpoint goes to the journal: its customer, or what replaces one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.profiles import keys

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

_USER, _DEVICE, _ORDER = keys.USER.encode(), keys.DEVICE.encode(), keys.ORDER.encode()
_SPEND, _ADDRESS = keys.SPEND.encode(), keys.ADDRESS.encode()
_OF_ADDRESSES: Final = frozenset({"consent_changed", "email_unsubscribed", "email_bounced"})
"""Types of touchpoints that are about an address."""


def key_of(touchpoint: Touchpoint) -> bytes | None:
    """Return the key in UTF-8; None: the touchpoint has no id.

    It is the first that there is of u:<user>, a:<device>, o:<guest's order>, s:<channel of spend>, e:<address's hash>.
    An empty id is none. What is about an address belongs to it, whatever else it names beside a user or a device.
    """
    if touchpoint.user_id:
        return _USER + touchpoint.user_id.encode()
    if touchpoint.anonymous_id:
        return _DEVICE + touchpoint.anonymous_id.encode()
    address = touchpoint.email_hash
    key = _ADDRESS + address.encode() if address else None
    if key is not None and touchpoint.type in _OF_ADDRESSES:
        return key
    if touchpoint.order and touchpoint.order.order_id:
        return _ORDER + touchpoint.order.order_id.encode()
    if touchpoint.spend and touchpoint.channel:
        return _SPEND + touchpoint.channel.encode()
    return key
