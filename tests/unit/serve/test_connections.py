"""The connection that has been idle for longest goes when there is one too many; slow ones go in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streams.serve import bodies, connections
from tests.support.door import KEY, basic, with_a_door

if TYPE_CHECKING:
    import pytest

    from tests.support.door import ADoor

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

ASKED = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(streams: Streams, asked: bytes = ASKED) -> bytes:
    """Ask, and return what comes; nothing if the connection was closed."""
    reader, writer = streams
    try:
        writer.write(asked)
        return await reader.read(4_096)
    except ConnectionError:
        return b""


def test_the_one_that_is_idle_for_longest_goes_when_there_is_one_too_many() -> None:
    async def use(door: ADoor) -> None:
        first, second, third = [await door.connected() for _ in range(3)]
        assert (await answer(first)).startswith(b"HTTP/1.1 200")
        fourth = await door.connected()
        assert (await answer(fourth)).startswith(b"HTTP/1.1 200")
        assert await answer(second) == b""
        for streams in (first, third, fourth):
            assert (await answer(streams)).startswith(b"HTTP/1.1 200")
        assert len(door.serving.connections.open) == 3

    with_a_door(use, connections_max=3)


def test_one_that_waits_for_kafka_is_kept() -> None:
    async def use(door: ADoor) -> None:
        door.producer.answers = lambda _: "no answer yet"
        waiting = asyncio.create_task(door.call("page", {"userId": "7"}))
        await asyncio.sleep(0.1)
        others = [await door.connected() for _ in range(3)]
        await asyncio.sleep(0.1)
        assert [len(await answer(each)) > 0 for each in others] == [False, False, True]
        door.producer.answers = lambda _: None
        assert (await waiting).status == 202

    with_a_door(use, connections_max=2)


def test_headers_that_come_byte_by_byte_and_silence_end_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 1.2)
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.1)

    async def use(door: ADoor) -> None:
        await asyncio.sleep(0.2)
        slow, silent, asking = [await door.connected() for _ in range(3)]
        for byte in ASKED[:20]:
            if slow[1].transport.is_closing():
                break
            slow[1].write(bytes([byte]))
            assert (await answer(asking)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.1)
        assert slow[1].transport.is_closing() or await answer(slow) == b""
        await asyncio.sleep(1)
        assert await answer(silent) == b""
        assert (await answer(asking)).startswith(b"HTTP/1.1 200")

    with_a_door(use)


def test_a_body_that_takes_too_long_is_answered_and_its_room_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.3)

    async def use(door: ADoor) -> None:
        headers = f"POST /v1/page HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(KEY)}\r\nContent-Length: 100\r\n\r\n"
        streams = await door.connected()
        said = await answer(streams, headers.encode() + b'{"userId"')
        assert said.startswith(b"HTTP/1.1 408")
        assert "touchstream_serve_unacknowledged_bytes 0.0" in door.metrics.text().decode()

    with_a_door(use)


def test_what_is_not_http_is_answered_and_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def use(door: ADoor) -> None:
        for asked in (b"hello ada@example.org\r\n\r\n", b"GET /v1/track HTTP/1.1\r\nada@example.org\r\n\r\n"):
            streams = await door.connected()
            assert (await answer(streams, asked)).startswith(b"HTTP/1.0 400")
        many = b"".join(b"X-%d: 1\r\n" % number for number in range(100))
        for headers in (b"X: " + b"x" * 9_000, many):
            streams = await door.connected()
            assert (await answer(streams, b"GET /health/live HTTP/1.1\r\n" + headers + b"\r\n\r\n")).startswith(
                b"HTTP/1.0 400"
            )

    with_a_door(use)
    assert caplog.text == ""
