"""Profiles as state bytes: a msgpack array behind the store's frame, where older versions are upgraded on read."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.outputs import Trigger
from state.codec import frame, open_version
from streams.profiles.packed import Trail
from streams.profiles.profile import PendingMessage, Profile
from streams.profiles.trail import is_inline, packed, unpacked

VERSION = 7
BEFORE_RULES = 4
"""The version in which a profile of rules 1 is written, so that release 0.1 still reads it."""
_OF_RULES_2 = 5
_OF_RULES_3 = 6
_FIELDS = {4: 33, 5: 36, 6: 39}
"""How many fields a profile has by version."""
_CONSENTS = Profile.__struct_fields__.index("consents")
_MESSAGES = Profile.__struct_fields__.index("messages")
_PENDING = Profile.__struct_fields__.index("pending")
_RUNS = Profile.__struct_fields__.index("runs")
_FIELDS_OF_A_RUN = 11
_CART = Profile.__struct_fields__.index("cart")
_ORDERS = Profile.__struct_fields__.index("orders")
_CHANGES = Profile.__struct_fields__.index("changes")
_SESSION_V1 = slice(14, 16)
"""Where version 1 had session_hash and session_ordered."""


_encode = msgspec.msgpack.Encoder().encode
_decode_before_5 = msgspec.msgpack.Decoder(Profile).decode
_decode = msgspec.msgpack.Decoder(tuple[Profile, Trail | None]).decode


def encode_profile(profile: Profile) -> bytes:
    """Return the framed bytes; the frame's due time is the profile's entry in the timer index."""
    if profile.rules == 1:
        return frame(BEFORE_RULES, profile.wake_ms, _encode(_fields(profile, BEFORE_RULES)))
    rest, trail = (profile, None) if is_inline(profile) else packed(profile)
    if profile.rules >= RULES_4:
        return frame(VERSION, profile.wake_ms, _encode((rest, trail)))
    version = _OF_RULES_3 if profile.rules >= RULES_3 else _OF_RULES_2
    return frame(version, profile.wake_ms, _encode((_fields(rest, version), trail)))


def _fields(profile: Profile, version: int) -> list[Any]:
    """Return the fields that an earlier version had."""
    fields = list(msgspec.structs.astuple(profile)[: _FIELDS[version]])
    if profile.consents:
        fields[_CONSENTS] = [(each.channel, each.granted, each.time_ms) for each in profile.consents]
    if profile.messages:
        fields[_MESSAGES] = [msgspec.structs.astuple(each)[:4] for each in profile.messages]
    if profile.runs:
        fields[_RUNS] = [msgspec.structs.astuple(each)[:_FIELDS_OF_A_RUN] for each in profile.runs]
    if profile.pending:
        fields[_PENDING] = [_pending_before_7(each) for each in profile.pending]
    if profile.orders:
        fields[_ORDERS] = [msgspec.structs.astuple(each)[:4] for each in profile.orders]
    if profile.changes and version == _OF_RULES_3:
        fields[_CHANGES] = [msgspec.structs.astuple(each)[:6] for each in profile.changes]
    if profile.cart is not None and version < _OF_RULES_3:
        fields[_CART] = profile.cart.opened_ms, profile.cart.added_ms, profile.cart.items
    return fields


def _pending_before_7(message: PendingMessage) -> tuple[dict[str, Any], tuple[Any, ...], bool]:
    trigger = {name: getattr(message.trigger, name) for name in Trigger.__struct_fields__ if name != "attributes"}
    return trigger, msgspec.structs.astuple(message.run)[:_FIELDS_OF_A_RUN], message.is_held


def decode_profile(value: bytes) -> Profile:
    """Return the profile in framed bytes.

    Raises:
        NewerState: written by a later release.
    """
    version, payload = open_version(value, VERSION, "a profile")
    if version >= _OF_RULES_2:
        rest, trail = _decode(payload)
        return rest if trail is None else unpacked(rest, trail)
    # earlier versions lack the last fields, whose defaults mean the same as their absence
    return _decode_before_5(payload if version > 1 else _from_version_1(payload))


def _from_version_1(payload: bytes) -> bytes:
    """Upgrade the payload of version 1, which had the last session and whether it ordered.

    It did not have when they were counted: the customer's clock is the nearest.
    """
    fields = msgspec.msgpack.decode(payload, type=list[Any])
    clock_ms, (session_hash, has_ordered) = fields[0], fields[_SESSION_V1]
    fields[_SESSION_V1] = [[(clock_ms, session_hash, clock_ms if has_ordered else 0)] if session_hash else []]
    return _encode(fields)
