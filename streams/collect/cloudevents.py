"""The door for CloudEvents in JSON, structured mode (CloudEvents 1.0.2 and its JSON event format).

The envelope says which event it is, when it happened and who sent it. `data` is a call of Segment, a touchpoint of
ours, or the properties of the event, which may name the customer as `userId` or `anonymousId`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final

from streams.collect import segment, touchpoint_json
from streams.collect.event_names import folded, type_of
from streams.collect.hiding import shown
from streams.collect.parsing import parsed
from streams.collect.reading import text
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "cloudevents"
_JSON: Final = re.compile(r"[^/]{1,100}/(?:json|[^/]{1,100}\+json)")
_VERSION: Final = re.compile(r"v?[0-9]{1,4}", re.ASCII)
_PARTS_MAX: Final = 20
"""Parts of a type that are looked at."""
_IDS: Final = {"userId": ("userId", "user_id", "userid"), "anonymousId": ("anonymousId", "anonymous_id", "anonymousid")}
"""Where the ids of a customer may be: in `data`, or in an extension of the envelope, which has small letters only."""


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Read an event. Its source is that of the record, or else the one that the event names.

    Raises:
        RefusedRecord: it is of another version, lacks an attribute that it needs, or its data is wrong.
    """
    if document.get("specversion") != "1.0":
        raise RefusedRecord("malformed", f"specversion is {shown(document.get('specversion'))}: allowed is 1.0")
    named = {name: text(document.get(name), name) for name in ("id", "source", "type")}
    missing = [name for name, value in named.items() if value is None]
    if missing:
        raise RefusedRecord("malformed", f"{missing[0]} is missing: CloudEvents need id, source and type")
    if settings.source == DOOR:
        settings = settings._replace(source=named["source"] or DOOR)
    data = document.get("data") if "data_base64" not in document else _decoded(document)
    if isinstance(data, dict) and "event_id" in data and "time_ms" in data:
        return touchpoint_json.arrived(data, settings)
    return segment.arrived(_call(document, data if isinstance(data, dict) else {}, named["type"] or ""), settings)


def _call(document: dict[str, Any], data: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the call of Segment that an event is."""
    envelope = {"messageId": document["id"], "timestamp": document.get("time")}
    if data.get("type") in segment.CALLS and ("messageId" in data or "event" in data or "context" in data):
        return {**envelope, **{name: value for name, value in data.items() if value is not None}}
    ids = {
        name: next((where[each] for where in (data, document) for each in names if where.get(each) is not None), None)
        for name, names in _IDS.items()
    }
    return {**envelope, **ids, "type": "track", "event": _event_of(kind), "properties": data}


def _decoded(document: dict[str, Any]) -> Any:  # noqa: ANN401 - of a JSON document
    """Return data that was JSON before it was encoded; None: it is of another kind, and nobody reads it."""
    kind = document.get("datacontenttype")
    if kind is not None and not (isinstance(kind, str) and _JSON.fullmatch(kind.partition(";")[0].strip().lower())):
        return None
    try:
        raw = b64decode(document["data_base64"], validate=True)
    except (TypeError, ValueError):
        raise RefusedRecord("malformed", "data_base64 is no Base64") from None
    return parsed(raw)


def _event_of(kind: str) -> str:
    """Return the name of an event by its type: com.example.order.completed.v1 is an order completed."""
    parts = kind.split(".", _PARTS_MAX)
    if len(parts) > 1 and _VERSION.fullmatch(parts[-1]):
        parts = parts[:-1]
    for place in range(len(parts)):
        name = folded(" ".join(parts[place:]))
        if type_of(name) is not None:
            return name
    return kind
