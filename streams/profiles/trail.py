"""Touches and paths in short form: each touch and each name once, and paths as places in the list of touches."""

from __future__ import annotations

from struct import pack, unpack
from typing import TYPE_CHECKING

import msgspec

from streams.profiles.packed import Trail
from streams.profiles.profile import Conversion, Profile, Touch, Uncredited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.profiles.packed import PackedConversion, PackedTouch

INLINE_MAX = 64
"""So few touches, those of all paths counted, are stored as they are, which takes a tenth of the time.

With the longest names they have 64 x 1,066 bytes, which is less than the short form of the largest profile.
"""
_NONE = -1
_PLACE_BYTES = 2


class _Packing:
    """Places of names and touches, in the order in which they are met."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.touches: dict[Touch, int] = {}

    def path(self, touches: Sequence[Touch]) -> bytes:
        places = self.touches
        return pack(f">{len(touches)}H", *[places.setdefault(touch, len(places)) for touch in touches])

    def conversion(self, item: Conversion) -> PackedConversion:
        return item.order_id, item.time_ms, item.value_minor, item.currency, self.path(item.path), item.revision

    def packed_touches(self) -> tuple[PackedTouch, ...]:
        return tuple([self._touch(touch) for touch in self.touches])

    def _touch(self, touch: Touch) -> PackedTouch:
        names = self.names
        channel = names.setdefault(touch.channel, len(names))
        campaign = _NONE if touch.campaign_id is None else names.setdefault(touch.campaign_id, len(names))
        return touch.time_ms, touch.id_hash, channel, campaign, touch.session_hash, touch.is_view


def is_inline(profile: Profile) -> bool:
    """Return whether the profile's touches are few, and stored as they are."""
    if profile.uncredited:
        return False
    return len(profile.touches) + sum([len(each.path) for each in profile.conversions]) <= INLINE_MAX


def packed(profile: Profile) -> tuple[Profile, Trail]:
    """Return the profile without touches, conversions and unwritten credit, and these in short form."""
    packing = _Packing()
    touches = packing.path(profile.touches)
    conversions = tuple([packing.conversion(item) for item in profile.conversions])
    uncredited = tuple(
        [(item.order_id, tuple([packing.conversion(each) for each in item.written])) for item in profile.uncredited]
    )
    all_touches = packing.packed_touches()
    rest = msgspec.structs.replace(profile, touches=(), conversions=(), uncredited=())
    return rest, Trail(tuple(packing.names), all_touches, touches, conversions, uncredited)


def unpacked(rest: Profile, trail: Trail) -> Profile:
    """Reverse `packed`; equal touches are one object."""
    names = trail.names
    known = [
        Touch(time_ms, id_hash, names[channel], None if campaign == _NONE else names[campaign], session_hash, is_view)
        for time_ms, id_hash, channel, campaign, session_hash, is_view in trail.all_touches
    ]

    def path(places: bytes) -> tuple[Touch, ...]:
        return tuple([known[place] for place in unpack(f">{len(places) // _PLACE_BYTES}H", places)])

    def conversion(item: PackedConversion) -> Conversion:
        order_id, time_ms, value_minor, currency, places, revision = item
        return Conversion(order_id, time_ms, value_minor, currency, path(places), revision)

    return msgspec.structs.replace(
        rest,
        touches=path(trail.touches),
        conversions=tuple([conversion(item) for item in trail.conversions]),
        uncredited=tuple(
            [
                Uncredited(order_id, tuple([conversion(item) for item in written]))
                for order_id, written in trail.uncredited
            ]
        ),
    )
