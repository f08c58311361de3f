"""A bound for the connections to a worker's pages, so that they cannot take the descriptors of its store and clients.

Faust's server accepts as many connections as come and lets them wait as long as they like. Here the oldest one goes
when there are too many. So a client that connects and asks at once gets an answer, however many others only connect.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from faust.web.drivers.aiohttp import Web as FaustWeb

from schemas.limits import WEB_BACKLOG, WEB_CONNECTIONS_MAX, WEB_IDLE_SECONDS, WEB_REQUEST_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust
    from aiohttp.typedefs import Handler


class Connections:
    """The open connections, oldest first."""

    def __init__(self) -> None:
        self._open: dict[_Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: _Connection) -> None:
        """Take in a connection, and close the oldest ones beyond WEB_CONNECTIONS_MAX."""
        self._open[connection] = None
        while len(self._open) > WEB_CONNECTIONS_MAX:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.abort()

    def closed(self, connection: _Connection) -> None:
        self._open.pop(connection, None)


class _Connection(asyncio.Protocol):
    """One connection, in front of aiohttp's own protocol for it."""

    def __init__(self, served: asyncio.Protocol, among: Connections) -> None:
        self._served = served
        self._among = among
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._heard_s = self._loop.time()
        self._unanswered_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._served.connection_made(transport)
        self._among.opened(self)
        self._loop.call_later(WEB_IDLE_SECONDS, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        self._unanswered_bytes += len(data)
        if self._unanswered_bytes > WEB_REQUEST_BYTES_MAX:
            self.abort()
        else:
            self._served.data_received(data)

    def eof_received(self) -> bool | None:
        return self._served.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.closed(self)
        self._transport = None
        self._served.connection_lost(exc)

    def pause_writing(self) -> None:
        self._served.pause_writing()

    def resume_writing(self) -> None:
        self._served.resume_writing()

    def asked(self) -> None:
        """Note that a request has come in whole."""
        self._unanswered_bytes = 0

    def abort(self) -> None:
        """Close the connection now, also if the other side does not read."""
        if self._transport is not None:
            self._transport.abort()

    def _close_if_idle(self) -> None:
        if self._transport is None:
            return
        left_s = self._heard_s + WEB_IDLE_SECONDS - self._loop.time()
        if left_s <= 0:
            self.abort()
        else:
            self._loop.call_later(left_s, self._close_if_idle)


class _Site(web.BaseSite):
    """A site whose connections are bounded."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, among: Connections) -> None:
        super().__init__(runner, backlog=WEB_BACKLOG)
        self._served = cast("Callable[[], asyncio.Protocol]", runner.server)
        self._place = host, port
        self._among = among

    @property
    def name(self) -> str:
        return "http://{}:{}".format(*self._place)

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        host, port = self._place
        self._server = await loop.create_server(self._made, host, port, backlog=WEB_BACKLOG)

    def _made(self) -> _Connection:
        return _Connection(self._served(), self._among)


class BoundedWeb(FaustWeb):
    """Faust's web server, with a bound for its connections."""

    def __init__(self, app: faust.App, **options: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(app, **options)
        self.connections = Connections()
        self.web_app.middlewares.append(_note_request)

    async def start_server(self) -> None:
        await self._runner.setup()
        conf = self.app.conf
        await _Site(self._runner, str(conf.web_bind), conf.web_port, self.connections).start()


@web.middleware
async def _note_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    connection = None if request.transport is None else request.transport.get_protocol()
    if isinstance(connection, _Connection):
        connection.asked()
    return await handler(request)


def bound_connections(app: faust.App) -> BoundedWeb:
    """Give an app a web server that bounds its connections, before pages are put on it."""
    bounded = BoundedWeb(app)
    cast("Any", app).web = bounded
    return bounded
