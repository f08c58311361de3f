"""One way of writing for what producers write in several, so that it counts as one: in Avro as in JSON.

It is the door's work, so the outcome is in the journal and the fold compares texts as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.zones import NAMES, zone_name
from streams.profiles.bounds import utf8_bytes

if TYPE_CHECKING:
    from schemas.touchpoint import Marketing, Touchpoint

_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")


def tidied(event: Touchpoint) -> Touchpoint:
    """Return a touchpoint with its channel, its campaign and its time zone in the one way of writing.

    Channels and utm values have small letters and no blanks around them. The same object if nothing changed.
    """
    changes: dict[str, Any] = {}
    if event.channel is not None and (channel := _small(event.channel)) != event.channel:
        changes["channel"] = channel or None
    if event.marketing is not None and (found := _campaign(event.marketing)) is not event.marketing:
        changes["marketing"] = found
    if event.time_zone is not None and event.time_zone not in NAMES and (zone := zone_name(event.time_zone)):
        changes["time_zone"] = zone
    return msgspec.structs.replace(event, **changes) if changes else event


def _small(text: str) -> str:
    small = text.strip().lower()
    # a dotted capital I takes a byte more in small letters, which must not make a text too long
    return small if small.isascii() or utf8_bytes(small) <= utf8_bytes(text) else text.strip()


def _campaign(marketing: Marketing) -> Marketing:
    changes: dict[str, Any] = {}
    for name in _UTM:
        text = getattr(marketing, name)
        if text is not None and (small := _small(text)) != text:
            changes[name] = small or None
    return msgspec.structs.replace(marketing, **changes) if changes else marketing


def with_codes(event: Touchpoint) -> Touchpoint:
    """Return a touchpoint whose currencies have capitals and no blanks around them."""
    changes: dict[str, Any] = {}
    if event.order is not None:
        changes["order"] = msgspec.structs.replace(event.order, currency=event.order.currency.strip().upper())
    if event.spend is not None:
        changes["spend"] = msgspec.structs.replace(event.spend, currency=event.spend.currency.strip().upper())
    return msgspec.structs.replace(event, **changes)


def without_vouchers(event: Touchpoint) -> Touchpoint:
    """Return a touchpoint without the lines that take off: its total counts them, and they are no articles."""
    lines = tuple([each for each in event.products if each.price_minor >= 0 and each.quantity >= 0])
    return msgspec.structs.replace(event, products=lines)
