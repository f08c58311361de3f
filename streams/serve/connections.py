"""The connections to the door: how many, how long one may be idle, and how long a request may take to come in.

As on a worker's pages, one that is idle goes when there are too many. Here one that is being answered does not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from streams.serve.limits import HEAD_SECONDS, IDLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_SECONDS: Final = 1.0


class Connections:
    """The open connections, and those of them that wait for a request, longest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open: set[Connection] = set()
        self.free: dict[Connection, None] = {}

    def opened(self, connection: Connection) -> None:
        """Take in a connection; beyond the bound the one that has waited for longest is closed, which may be this."""
        self.open.add(connection)
        self.free[connection] = None
        if len(self.open) > self._most:
            next(iter(self.free)).abort()

    def closed(self, connection: Connection) -> None:
        self.open.discard(connection)
        self.free.pop(connection, None)

    async def sweep(self) -> None:
        """Close those that are idle, or slow with a request, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now_s = loop.time()
            for each in [each for each in self.free if each.is_overdue(now_s)]:
                each.abort()


class Connection(asyncio.Protocol):
    """One connection, in front of aiohttp's own protocol for it."""

    def __init__(self, served: asyncio.Protocol, among: Connections) -> None:
        self._served = served
        self._among = among
        self._time = asyncio.get_running_loop().time
        self._transport: asyncio.Transport | None = None
        self._free_s = self._time()
        self._begun_s: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._served.connection_made(transport)
        self._among.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._begun_s is None:
            self._begun_s = self._time()
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
        """Note that the headers of a request have come in whole: from now on the reader of its body minds the time."""
        self._among.free.pop(self, None)

    def answered(self) -> None:
        """Note that it waits for the next request."""
        if self._transport is not None:
            self._free_s, self._begun_s = self._time(), None
            self._among.free[self] = None

    def is_overdue(self, now_s: float) -> bool:
        """Return whether a request should have begun, or its headers ended."""
        if self._begun_s is not None:
            return now_s - self._begun_s > HEAD_SECONDS
        return now_s - self._free_s > IDLE_SECONDS

    def abort(self) -> None:
        """Close the connection now, also if the other side does not read."""
        self._among.closed(self)
        if self._transport is not None:
            self._transport.abort()


def bounded(make: Callable[[], asyncio.Protocol], among: Connections) -> Callable[[], Connection]:
    """Return what makes the protocol of a new connection."""
    return lambda: Connection(make(), among)
