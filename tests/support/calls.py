"""What the doors make of records of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from streams.collect.doors import come_in
from streams.settings import DomainSettings
from tests.support.world import START_MS

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.collect.arrived import Arrived

SETTINGS = DomainSettings.model_validate({"clock": "wall", "touchpoint_partitions": 1, "journal_partitions": 1})
NOW_MS = START_MS
"""The broker's append time."""


def all_arrived(
    value: bytes | dict[str, Any] | list[Any],
    now_ms: int = NOW_MS,
    /,
    door: str = "",
    source: str = "",
    **settings: Any,
) -> list[Arrived]:
    """All that a record lets in, in its order.

    Raises:
        RefusedRecord: of the record, or of its first part that is refused.
    """
    headers = [(name, text.encode()) for name, text in (("door", door), ("source", source)) if text]
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    record = come_in(raw, headers, now_ms, SETTINGS.model_copy(update=settings))
    for part in record.parts:
        if part.refused is not None:
            raise part.refused
    return [each for part in record.parts for each in part.arrived]


def arrived(value: bytes | dict[str, Any], now_ms: int = NOW_MS, /, **given: Any) -> Arrived:
    (found,) = all_arrived(value, now_ms, **given)
    return found


def touchpoint_of(value: bytes | dict[str, Any], now_ms: int = NOW_MS, /, **given: Any) -> Touchpoint:
    return arrived(value, now_ms, **given).touchpoint


def a_call(event: str, properties: dict[str, Any] | None = None, /, **changes: Any) -> dict[str, Any]:
    """A track call, with fields changed; a field that is ... is left out."""
    call = {
        "type": "track",
        "event": event,
        "messageId": "m-1",
        "userId": "7",
        "timestamp": "2026-01-01T00:00:00Z",
        "properties": properties or {},
        **changes,
    }
    return {name: value for name, value in call.items() if value is not ...}
