"""Calls of Segment's and RudderStack's HTTP API, checked in their structure, as records of `touchpoints`.

Each call becomes a record of its own, with the bytes of its values as they came. What the door adds are Segment's own
fields: `type`, `messageId`, `receivedAt`. What it takes out is the write key, and the caller's address and user agent.
https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec
import xxhash

from schemas.limits import NESTING_MAX, TEXT_MAX
from schemas.nesting import is_nested_deeper
from schemas.nobody import IDS_OF_NOBODY
from streams.collect.agents import agent_of, purposes_of
from streams.collect.door import BATCH_CONTEXT_BYTES_MAX
from streams.collect.nobody import is_of_nobody
from streams.profiles import keys
from streams.serve.refusals import too_large, too_many, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.serve.settings import WriteKey

KINDS: Final = ("track", "page", "screen", "identify", "alias", "group")
BATCH: Final = "batch"
_TIMES: Final = ("timestamp", "originalTimestamp", "sentAt")
_ID: Final = "messageId"
_NOT_OF_THE_CALL: Final = frozenset({"messageId", "receivedAt", "sentAt", "type", "writeKey"})
"""What may differ when a client sends a call again, and what its id is made of besides."""
_LEFT_OUT: Final = ("writeKey", "receivedAt")
_OF_THE_CALLER: Final = frozenset({"ip", "userAgent", "userAgentData"})
"""Of `context`: who called is found out from them, and they are kept nowhere."""
_NULL: Final = b"null"
_NOTHING: Final = msgspec.Raw(b"{}")
_NOBODY: Final = IDS_OF_NOBODY
"""A prefix may have others. Then such calls come out of order between partitions, which their times make up for."""
_Id = str | int | float | bool | None


class Record(NamedTuple):
    """A record for `touchpoints`."""

    key: bytes | None
    """The customer's, or None where the call names nobody that could be read at once."""
    place: bytes
    """What decides on the partition: the key, or the id of the call."""
    value: bytes


class Reception(NamedTuple):
    """How a request came in."""

    source: str
    received_ms: int
    headers: Mapping[str, str] | None = None
    """Of the request of a customer's own browser; None: a server called, and says in `context` what the browser was."""


class _Call(msgspec.Struct):
    """What has to be of a certain type in any call. The names are Segment's."""

    type: str | None = None
    messageId: _Id = None  # noqa: N815 - as said
    userId: _Id = None  # noqa: N815
    anonymousId: _Id = None  # noqa: N815
    previousId: _Id = None  # noqa: N815
    groupId: _Id = None  # noqa: N815
    event: str | None = None
    timestamp: str | None = None
    originalTimestamp: str | None = None  # noqa: N815
    sentAt: str | None = None  # noqa: N815
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class _Batch(msgspec.Struct):
    batch: list[_Call]
    sentAt: str | None = None  # noqa: N815
    context: dict[str, Any] | None = None


_document = msgspec.json.Decoder()
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_listed = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_encode = msgspec.json.Encoder().encode
_ordered = msgspec.json.Encoder(order="sorted").encode
S = TypeVar("S", _Call, _Batch)


def parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text; Rejected (400) if it is none, or is nested too deeply."""
    if is_nested_deeper(body, NESTING_MAX):
        raise wrong(f"the body is nested deeper than the {NESTING_MAX} levels that are allowed")
    try:
        return _document.decode(body)
    except UnicodeDecodeError:
        raise wrong("the body is not UTF-8") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        # msgspec names the place and quotes nothing of the text
        raise wrong(f"the body is not valid JSON: {error}") from None


def calls_of(document: Any, body: bytes, kind: str, key: WriteKey, how: Reception) -> list[Record]:  # noqa: ANN401 - a JSON value
    """Return the records of one request to /v1/<kind>; `document` is what `parse` made of the body.

    Raises:
        Rejected: 400 with the path of the mistake, or 413.
    """
    if not isinstance(document, dict):
        raise wrong("the body has to be a JSON object")
    if kind == BATCH:
        return _of_batch(document, body, key, how)
    if len(body) > key.call_bytes_max:
        raise too_large("the call", key.call_bytes_max)
    call = _converted(document, _Call)
    _check(call, kind, "")
    return [_record(_parts.decode(body), document, kind, how, {})]


def _of_batch(document: dict[str, Any], body: bytes, key: WriteKey, how: Reception) -> list[Record]:
    batch = _converted(document, _Batch)
    if len(batch.batch) > key.batch_calls_max:
        raise too_many(f"the batch has {len(batch.batch)} calls", key.batch_calls_max)
    for number, call in enumerate(batch.batch):
        _check(call, None, f"batch[{number}].")
    _check_time(batch.sentAt, "sentAt")
    whole = _parts.decode(body)
    # what is said once for the batch holds for each call that does not say it itself
    if len(memoryview(whole.get("context", _NOTHING))) > BATCH_CONTEXT_BYTES_MAX:
        # each of the calls gets it
        raise too_large("context", BATCH_CONTEXT_BYTES_MAX)
    shared: dict[str, msgspec.Raw] = {name: whole[name] for name in ("context", "sentAt") if name in whole}
    seen: dict[str, int] = {}
    found = []
    for number, parts in enumerate(_listed.decode(whole["batch"])):
        if sum([len(memoryview(each)) for each in parts.values()]) > key.call_bytes_max:
            raise too_large(f"batch[{number}]", key.call_bytes_max)
        call = document["batch"][number]
        found.append(_record(_with(parts, shared), call, call["type"], how, seen))
    return found


def _record(
    parts: dict[str, msgspec.Raw], call: dict[str, Any], kind: str, how: Reception, seen: dict[str, int]
) -> Record:
    """Return a call's record; `seen` counts the calls of a batch that are equal in all but their place."""
    received = _received(how.received_ms)
    message_id = call.get(_ID)
    if message_id in {None, ""}:
        message_id = _id_of(call, kind, how.source)
        times = seen[message_id] = seen.get(message_id, 0) + 1
        if times > 1:
            message_id = f"{message_id}-{times}"
        parts[_ID] = _quoted(message_id)
    for name in _LEFT_OUT:
        parts.pop(name, None)
    parts["type"] = _quoted(kind)
    parts["receivedAt"] = received
    if not call.get("timestamp") and not call.get("originalTimestamp"):
        # by Segment's API it is when the call came in; the caller's clock then says nothing
        parts["timestamp"] = received
        parts.pop("sentAt", None)
    context = parts.get("context")
    if context is not None and bytes(context) != _NULL:
        parts["context"] = _without_caller(context, how.headers)
    elif how.headers is not None:
        parts["context"] = _without_caller(_NOTHING, how.headers)
    key = _key_of(call)
    return Record(key, key or str(message_id).encode(), _encode(parts))


def _with(parts: dict[str, msgspec.Raw], shared: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Return a call's parts with those of its batch."""
    if not shared:
        return parts
    both = {**shared, **parts}
    if "context" in shared and "context" in parts:
        kept = [bytes(each["context"]) for each in (shared, parts)]
        merged: dict[str, msgspec.Raw] = {}
        for each in kept:
            merged |= {} if each == _NULL else _parts.decode(each)
        both["context"] = msgspec.Raw(_encode(merged))
    return both


def _without_caller(context: msgspec.Raw, headers: Mapping[str, str] | None) -> msgspec.Raw:
    """Return a call's context with who called instead of the caller's address and user agent."""
    parts = _parts.decode(context)
    if headers is not None:
        agent = agent_of(headers.get("User-Agent"), purposes_of(headers))
    else:
        said = parts.get("userAgent")
        agent = None if said is None else agent_of(_document.decode(said))
    kept = {name: value for name, value in parts.items() if name not in _OF_THE_CALLER}
    if agent is not None:
        kept["agent"] = _quoted(agent)
    return context if len(kept) == len(parts) and agent is None else msgspec.Raw(_encode(kept))


def _id_of(call: Mapping[str, Any], kind: str, source: str) -> str:
    """Return an id that is the same whenever the same call comes: of all but what differs when it is sent again."""
    text = _ordered([source, kind, {name: call[name] for name in call if name not in _NOT_OF_THE_CALL}])
    return xxhash.xxh3_128_hexdigest(text)


def _key_of(call: Mapping[str, Any]) -> bytes | None:
    """Return the customer's key as `key_of` makes it of the touchpoint: of the user, or else of the device."""
    for name, kind in (("userId", keys.USER), ("anonymousId", keys.DEVICE)):
        text = _text(call.get(name))
        if text and len(text) <= TEXT_MAX and not is_of_nobody(text, _NOBODY):
            return f"{kind}{text}".encode()
    return None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if value == value // 1 else str(value)


def _converted(document: Any, kind: type[S]) -> S:  # noqa: ANN401 - a JSON value
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        raise wrong(said, path.strip("`").lstrip(".") or None) from None


def _check(call: _Call, kind: str | None, before: str) -> None:
    """Check what types do not say; `kind` is that of the path, and None in a batch."""
    if kind is None and call.type not in KINDS:
        raise wrong(f"type has to be one of {', '.join(KINDS)}", f"{before}type")
    if kind is not None and call.type not in {None, kind}:
        raise wrong(f"type has to be {kind}, as in the path, or left out", f"{before}type")
    if (kind or call.type) == "track" and not call.event:
        raise wrong("a track call needs the name of its event", f"{before}event")
    for name in _TIMES:
        _check_time(getattr(call, name), f"{before}{name}")


def _check_time(text: str | None, path: str) -> None:
    if not text:
        return
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise wrong("it has to be a time of ISO 8601 with a time zone, such as 2026-05-04T10:00:00Z", path)


@lru_cache(1)
def _received(time_ms: int) -> msgspec.Raw:
    """Return a time as JSON; several calls come in one millisecond."""
    return _quoted(datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"))


def _quoted(text: str) -> msgspec.Raw:
    return msgspec.Raw(_encode(text))
