"""What webhooks, and systems of a shop's own, post to /in/<source>: proven to come from there, then split into records.

The bytes of an event go on as they came: the door of the source, in the worker, reads them.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
import xxhash

from streams.serve.calls import Record, parse
from streams.serve.envelopes import enveloped
from streams.serve.keys import Sender
from streams.serve.proofs import prove
from streams.serve.refusals import Rejected, too_many, wrong
from streams.serve.signatures import Replays
from streams.serve.sns import to_confirm
from streams.serve.unproven import Unproven

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.serve.settings import Config, Source

_DIVIDED: Final = frozenset({"cloudevents", "ga4", "segment", "touchpoint"})
"""Doors whose lists are events that have nothing to do with each other."""
_SNS: Final = "ses"
_log = structlog.get_logger(__name__)
_listed = msgspec.json.Decoder(list[msgspec.Raw])


class Incoming:
    """The sources of the door's file."""

    def __init__(self, config: Config) -> None:
        now_s = time.monotonic()
        self._sources = {name: Sender(name, source, now_s) for name, source in config.sources.items()}
        self._replays = Replays()

    def find(self, name: str) -> Sender[Source]:
        """Return a source; Rejected (404)."""
        found = self._sources.get(name)
        if found is None:
            raise Rejected(HTTPStatus.NOT_FOUND, "there is no such source")
        return found

    def verify(self, source: Sender[Source], headers: Mapping[str, str], body: bytes, received_ms: int) -> bytes:
        """Return what names the request, for `accepted`; Rejected (401) if it does not prove where it comes from."""
        try:
            token = prove(source.given.verify, source.given.key or "", headers, body, received_ms / 1000)
            self._replays.check(token)
        except Unproven as why:
            raise Rejected(HTTPStatus.UNAUTHORIZED, str(why)) from None
        return token

    def accepted(self, token: bytes) -> None:
        """Remember a request that Kafka has, so that nobody can send it again."""
        self._replays.accepted(token)

    def records(self, source: Sender[Source], headers: Mapping[str, str], body: bytes) -> list[Record]:
        """Return the records of a body, or none of what asks a person for something. Rejected (400, 413).

        Each item of a list is a record of its own, but those of mail providers: side by side they say more.
        """
        document = parse(body)
        door = source.given.door
        if isinstance(document, dict):
            if door == _SNS and (wanted := to_confirm(document)) is not None:
                _log.warning(wanted, source=source.name)
                return []
            return [_record(enveloped(door, headers, body))]
        if not isinstance(document, list):
            raise wrong("the body has to be a JSON object, or a list of them")
        most = source.given.records_max
        if len(document) > most:
            raise too_many(f"the list has {len(document)} events", most)
        for number, each in enumerate(document):
            if not isinstance(each, dict):
                raise wrong("it has to be a JSON object", f"[{number}]")
        if door not in _DIVIDED:
            return [_record(enveloped(door, headers, body))]
        return [_record(bytes(each)) for each in _listed.decode(body)]


def _record(value: bytes) -> Record:
    # the key is the worker's to find: what is in it differs by door
    return Record(None, xxhash.xxh3_128_digest(value), value)
