"""What is answered to a request: which path, who sends, is it right, and 202 once Kafka has acknowledged it."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from streams.serve.bodies import check_type, read_body
from streams.serve.calls import BATCH, KINDS, Reception, calls_of, parse
from streams.serve.connections import Connection
from streams.serve.incoming import Incoming
from streams.serve.keys import Keys, Sender
from streams.serve.limits import BATCH_BYTES_MAX
from streams.serve.outlet import kafka_headers
from streams.serve.refusals import Rejected, later

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from streams.serve.metrics import DoorMetrics
    from streams.serve.outlet import Outlet
    from streams.serve.pages import Pages
    from streams.serve.settings import Config, WriteKey

API: Final = "/v1/"
IN: Final = "/in/"
SEGMENT: Final = "segment"
_JSON: Final = "application/json"
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "authorization, content-type, content-encoding",
    "Access-Control-Max-Age": "86400",
}
_ANY: Final = "*"


class Turn:
    """A request that is being answered, and what is known of its sender."""

    __slots__ = ("length", "origin", "request", "sender")

    def __init__(self, request: BaseRequest) -> None:
        self.request = request
        self.origin = request.headers.get("Origin")
        self.length = request.content_length
        self.sender = ""

    def size(self, most: int) -> int:
        """Return for how many bytes room is needed: what comes in pieces or packed may be as large as it may be."""
        if self.length is None or "Content-Encoding" in self.request.headers:
            return most
        return min(self.length, most)

    def needs(self, *methods: str) -> None:
        """Raise Rejected (405) for any other method."""
        if self.request.method not in methods:
            allowed = ", ".join(methods)
            raise Rejected(HTTPStatus.METHOD_NOT_ALLOWED, f"this path takes {allowed} only", allow=allowed)


class Door:
    """The handler of every request. Nothing of a body, of a key or of a caller goes to a log or a label."""

    def __init__(self, config: Config, outlet: Outlet, metrics: DoorMetrics, pages: Pages) -> None:
        now_s = time.monotonic()
        self._keys = Keys([Sender(name, key, now_s) for name, key in config.keys.items()])
        self._bytes_max = max([BATCH_BYTES_MAX, *(key.batch_bytes_max for key in config.keys.values())])
        self._origins = frozenset(origin for key in config.keys.values() for origin in key.origins)
        self._outlet = outlet
        self._metrics = metrics
        self._accepted = {name: metrics.tally(name) for name in (*config.keys, *config.sources)}
        self._pages = pages
        self._incoming = Incoming(config)

    async def answer(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        transport = request.transport
        connection = None if transport is None else transport.get_protocol()
        if isinstance(connection, Connection):
            connection.asked()
        turn = Turn(request)
        try:
            answer = await self._routed(turn)
        except Rejected as why:
            self._metrics.refused(turn.sender, why.status)
            answer = self._refusal(turn, why)
        finally:
            if isinstance(connection, Connection):
                connection.answered()
        # aiohttp would name its version and Python's
        answer.headers["Server"] = "touchstream"
        return answer

    async def _routed(self, turn: Turn) -> web.StreamResponse:
        path = turn.request.path_qs.partition("?")[0]
        if (page := self._pages.find(path)) is not None:
            turn.needs("GET", "HEAD")
            return page(turn.request)
        if path.startswith(API):
            kind = path[len(API) :]
            if kind not in KINDS and kind != BATCH:
                allowed = "|".join([*KINDS, BATCH])
                raise Rejected(HTTPStatus.NOT_FOUND, f"there is no such path: calls go to {API}{allowed}")
            if turn.request.method == "OPTIONS":
                return self._preflight(turn)
            turn.needs("POST")
            self._check_running()
            return await self._called(turn, kind)
        if path.startswith(IN):
            turn.needs("POST")
            self._check_running()
            return await self._taken_in(turn, path[len(IN) :])
        raise Rejected(HTTPStatus.NOT_FOUND, "there is no such path")

    async def _called(self, turn: Turn, kind: str) -> web.StreamResponse:
        """Take a call or a batch."""
        headers = turn.request.headers
        check_type(headers.get("Content-Type"))
        authorization = headers.get("Authorization")
        sender = None
        most = self._bytes_max
        if authorization is not None:
            sender = self._keys.find(authorization, None)
            most = self._admitted(turn, sender, kind, turn.length or 0)
        size = turn.size(most)
        self._outlet.hold(size)
        try:
            body = await read_body(turn.request, most)
            document = parse(body)
            if sender is None:
                sender = self._keys.find(None, document.get("writeKey") if isinstance(document, dict) else None)
                most = self._admitted(turn, sender, kind, len(body))
                if len(body) > most:
                    raise Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body: at most {most} bytes are allowed")
            else:
                sender.add(len(body) - (turn.length or 0))
            key = sender.given
            received_ms = time.time_ns() // 1_000_000
            how = Reception(key.source, received_ms, headers if key.sender == "browser" else None)
            records = calls_of(document, body, kind, key, how)
            # what a batch says for all of its calls is in each of them now
            grown = sum([len(record.value) for record in records]) - size
            if grown > 0:
                self._outlet.hold(grown)
                size += grown
            if records:
                await self._outlet.send(records, kafka_headers(key.source, SEGMENT, received_ms))
        finally:
            self._outlet.free(size)
        return self._accept(turn, len(records), len(body))

    async def _taken_in(self, turn: Turn, name: str) -> web.StreamResponse:
        """Take what a webhook, or a system of the shop's own, posts."""
        source = self._incoming.find(name)
        turn.sender = name
        headers = turn.request.headers
        check_type(headers.get("Content-Type"))
        most = source.given.bytes_max
        size = turn.size(most)
        self._outlet.hold(size)
        try:
            body = await read_body(turn.request, most)
            received_ms = time.time_ns() // 1_000_000
            token = self._incoming.verify(source, headers, body, received_ms)
            source.admit(len(body), time.monotonic())
            records = self._incoming.records(source, headers, body)
            if records:
                await self._outlet.send(records, kafka_headers(name, source.given.door, received_ms))
            self._incoming.accepted(token)
        finally:
            self._outlet.free(size)
        return self._accept(turn, len(records), len(body))

    def _admitted(self, turn: Turn, sender: Sender[WriteKey], kind: str, size: int) -> int:
        """Return how many bytes the body may have; Rejected (403, 413, 429) if the request is not let in."""
        turn.sender, key = sender.name, sender.given
        if turn.origin is not None and turn.origin not in key.origins and _ANY not in key.origins:
            raise Rejected(HTTPStatus.FORBIDDEN, "this key does not name the origin of your page in origins")
        most = key.batch_bytes_max if kind == BATCH else key.call_bytes_max
        if size > most:
            raise Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body: at most {most} bytes are allowed")
        sender.admit(size, time.monotonic())
        return most

    def _check_running(self) -> None:
        if self._pages.is_stopping:
            raise later("this process is stopping: send the same again, to another one", 1)

    def _preflight(self, turn: Turn) -> web.StreamResponse:
        """Answer what a browser asks before it sends; it does not say yet with which key."""
        if not self._may_read(turn):
            raise Rejected(HTTPStatus.FORBIDDEN, "no key names the origin of your page in origins")
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={**_PREFLIGHT, **self._cors(turn)})

    def _may_read(self, turn: Turn) -> bool:
        return turn.origin is not None and (turn.origin in self._origins or _ANY in self._origins)

    def _cors(self, turn: Turn) -> dict[str, str]:
        """Return the headers by which a browser lets the page read an answer."""
        if turn.origin is None or not self._may_read(turn):
            return {}
        return {"Access-Control-Allow-Origin": turn.origin, "Vary": "Origin"}

    def _accept(self, turn: Turn, records: int, size: int) -> web.StreamResponse:
        tally = self._accepted[turn.sender]
        tally.answers += 1
        tally.records += records
        tally.bytes += size
        return web.Response(
            body=b'{"accepted":%d}' % records,
            status=HTTPStatus.ACCEPTED,
            headers=None if turn.origin is None else self._cors(turn),
            content_type=_JSON,
        )

    def _refusal(self, turn: Turn, why: Rejected) -> web.StreamResponse:
        headers = self._cors(turn)
        if why.retry_after is not None:
            headers["Retry-After"] = str(why.retry_after)
            headers |= {"Access-Control-Expose-Headers": "Retry-After"} if turn.origin else {}
        if why.allow:
            headers["Allow"] = why.allow
        if why.status == HTTPStatus.UNAUTHORIZED and turn.origin is None:
            # a browser would ask the customer for a password
            headers["WWW-Authenticate"] = 'Basic realm="touchstream"'
        told = {"error": why.error} | ({"path": why.path} if why.path is not None else {})
        return web.Response(body=msgspec.json.encode(told), status=why.status, headers=headers, content_type=_JSON)
