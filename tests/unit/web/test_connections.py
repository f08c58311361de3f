"""The oldest connection goes when there is one too many, and one that is silent goes in time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import faust

from schemas.limits import WEB_CONNECTIONS_MAX
from streams.demo.servers.server import free_port
from streams.telemetry.metrics import Metrics
from streams.web import connections
from streams.web.connections import BoundedWeb, bound_connections
from streams.web.pages import register
from tests.support.engine_status import AnEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

ASKED = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


class Clients:
    """Connections to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connected(self) -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(streams[1])
        return streams

    async def leave(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def with_pages(use: Callable[[BoundedWeb, Clients], Awaitable[None]]) -> None:
    """Serve a worker's pages on a free port of this machine."""

    async def served() -> None:
        port = free_port()
        app = faust.App("pages", broker="kafka://127.0.0.1:1", web_bind="127.0.0.1", web_port=port)
        engine, metrics = AnEngine(polled_s=time.time()), Metrics()
        bounded = bound_connections(app)
        register(app, token="", status=engine, metrics_text=metrics.text, lookup=lambda _: None)
        await bounded.start_server()
        clients = Clients(port)
        try:
            await use(bounded, clients)
        finally:
            await clients.leave()
            await bounded.stop_server()

    asyncio.run(served())


async def answer(streams: Streams) -> bytes:
    """Ask, and return what comes; nothing if the connection was closed."""
    reader, writer = streams
    writer.write(ASKED)
    try:
        return await reader.read(4_096)
    except ConnectionError:
        return b""


def test_the_oldest_connection_goes_when_there_is_one_too_many() -> None:
    async def use(bounded: BoundedWeb, clients: Clients) -> None:
        first, second, *others = [await clients.connected() for _ in range(WEB_CONNECTIONS_MAX)]
        assert (await answer(first)).startswith(b"HTTP/1.1 200")
        last = await clients.connected()
        assert (await answer(last)).startswith(b"HTTP/1.1 200")
        assert len(bounded.connections) == WEB_CONNECTIONS_MAX
        assert await answer(first) == b""
        for streams in (second, *others):
            assert (await answer(streams)).startswith(b"HTTP/1.1 200")

    with_pages(use)


def test_a_connection_that_is_closed_makes_room() -> None:
    async def use(bounded: BoundedWeb, clients: Clients) -> None:
        first, *others = [await clients.connected() for _ in range(WEB_CONNECTIONS_MAX)]
        reader, writer = others[0]
        writer.write(ASKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await reader.read()
        assert len(bounded.connections) == WEB_CONNECTIONS_MAX - 1
        await clients.connected()
        assert (await answer(first)).startswith(b"HTTP/1.1 200")

    with_pages(use)


def test_a_silent_connection_is_closed_and_one_that_asks_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WEB_IDLE_SECONDS", 2.0)

    async def use(bounded: BoundedWeb, clients: Clients) -> None:
        silent, asking = await clients.connected(), await clients.connected()
        for _ in range(6):
            assert (await answer(asking)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.5)
        assert await answer(silent) == b""
        assert len(bounded.connections) == 1

    with_pages(use)
