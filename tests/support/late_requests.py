"""A proxy before a broker that holds requests of transactions back, so that their repeats overtake them."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from streams.demo.servers.server import LOCALHOST

if TYPE_CHECKING:
    from types import TracebackType

    Manner = Literal["reset", "hang", "any"]

PRODUCE, INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 0, 22, 24, 25, 26, 28
"""Keys of Kafka's requests (the protocol's own numbers)."""
_NAMES = {
    PRODUCE: "Produce",
    ADD_PARTITIONS: "AddPartitionsToTxn",
    ADD_OFFSETS: "AddOffsetsToTxn",
    TXN_OFFSET_COMMIT: "TxnOffsetCommit",
    END_TXN: "EndTxn",
}
"""What a transaction consists of: a held request is let go when so many more of these have passed."""
_FLEXIBLE_FROM = {PRODUCE: 9, ADD_PARTITIONS: 3, ADD_OFFSETS: 3, TXN_OFFSET_COMMIT: 3, END_TXN: 3}
"""From this version on a header ends with tagged fields, and texts are compact."""
ENDS = frozenset({END_TXN, TXN_OFFSET_COMMIT})
STEPS = frozenset(_NAMES)
_STEPS_MAX = 8
_ANSWER_SECONDS = 10.0


def listeners(port: int, proxy_port: int) -> dict[str, str]:
    """Properties of a broker that has a second listener, whose advertised address is the proxy's."""
    return {
        "listeners": f"PLAINTEXT://{{host}}:{{port}},BEHIND://{{host}}:{port},CONTROLLER://{{host}}:{{controller_port}}",
        "advertised.listeners": f"PLAINTEXT://{{host}}:{{port}},BEHIND://{{host}}:{proxy_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }


@dataclass(eq=False)
class _Connection:
    broker: asyncio.StreamWriter
    client: asyncio.StreamWriter
    is_held: bool = False
    """What its client sends, and what is answered, goes nowhere for now: as if the network had swallowed it."""
    held: list[bytes] = field(default_factory=list)
    """The request that is late, and what came behind it, in order."""
    steps_left: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class LateRequests:
    """Holds a share of the requests of transactions; a context manager, on a thread of its own.

    `reset` breaks the client's connection when it holds a request, so that the client repeats it at once; `hang` lets
    it wait until its own time-out (`socket.timeout.ms`), which also delays what it sends on that connection; `any` is
    one of the two. Held requests go on to the broker within the next transaction of their transactional id.

    `counts` has those `held` and `released`, by name too, and `within`: released while a later transaction was open.
    """

    def __init__(self, upstream_port: int, port: int, *, share: float, seed: int) -> None:
        self.port = port
        self.manner: Manner = "reset"
        self.holdable = ENDS
        self.counts: Counter[str] = Counter()
        self.share = share
        self._upstream = upstream_port
        self._chance = random.Random(seed)
        self._connections: set[_Connection] = set()
        self._holding: dict[str, _Connection] = {}
        """By transactional id: one request at a time."""
        self._open: set[str] = set()
        """Transactional ids with an open transaction."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, LOCALHOST, self.port), self._loop)
        self._server = started.result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            if self._server is not None:
                self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for connection in self._connections:
                connection.client.transport.abort()
                connection.broker.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_broker, to_broker = await asyncio.open_connection(LOCALHOST, self._upstream)
        except OSError:
            writer.close()
            return
        for each in (writer, to_broker):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(to_broker, writer)
        self._connections.add(connection)
        answers = asyncio.create_task(self._answer(connection, from_broker))
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await self._pass_on(connection, await _frame(reader))
        if not connection.held:
            to_broker.close()
        with suppress(asyncio.CancelledError):
            await answers
        self._connections.discard(connection)

    async def _pass_on(self, connection: _Connection, frame: bytes) -> None:
        (api,) = struct.unpack_from(">h", frame, 4)
        name = _transactional_id(frame) if api in STEPS else ""
        if name:
            await self._release_due(name)
        if connection.is_held:
            connection.held.append(frame)
            return
        if name and api in self.holdable and name not in self._holding and self._chance.random() < self.share:
            self._hold(connection, frame, name, _NAMES[api])
            return
        if api == ADD_PARTITIONS:
            self._open.add(name)
        connection.broker.write(frame)
        await connection.broker.drain()
        if api == END_TXN:
            self._open.discard(name)
            self.counts["ends"] += 1

    def _hold(self, connection: _Connection, frame: bytes, name: str, what: str) -> None:
        self.counts.update(("held", f"held {what}"))
        connection.is_held = True
        connection.held.append(frame)
        # the client's own repeat comes first
        connection.steps_left = 1 + self._chance.randint(1, _STEPS_MAX)
        self._holding[name] = connection
        if self.manner == "reset" or (self.manner == "any" and self._chance.random() < 0.5):
            connection.client.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            connection.client.transport.abort()

    async def _release_due(self, name: str) -> None:
        connection = self._holding.get(name)
        if connection is None:
            return
        connection.steps_left -= 1
        if connection.steps_left > 0:
            return
        del self._holding[name]
        self.counts["released"] += 1
        self.counts["within"] += name in self._open
        connection.answered.clear()
        with suppress(OSError, TimeoutError):
            for frame in connection.held:
                connection.broker.write(frame)
            await connection.broker.drain()
            # the broker has decided before anything else reaches it
            await asyncio.wait_for(connection.answered.wait(), _ANSWER_SECONDS)
        # its client has given it up long ago
        connection.held.clear()
        connection.client.close()
        connection.broker.close()

    async def _answer(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                frame = await _frame(reader)
                connection.answered.set()
                if not connection.is_held:
                    connection.client.write(frame)
                    await connection.client.drain()
        connection.client.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    (size,) = struct.unpack(">i", head)
    return head + await reader.readexactly(size)


def _transactional_id(frame: bytes) -> str:
    """Return the first text of a request's body; "" if it is null."""
    api, version = struct.unpack_from(">hh", frame, 4)
    (length,) = struct.unpack_from(">h", frame, 12)
    at = 14 + max(length, 0)
    if version >= _FLEXIBLE_FROM[api]:
        # no tagged fields, and a length plus one below 128: both are one byte
        length, at = frame[at + 1] - 1, at + 2
    else:
        (length,) = struct.unpack_from(">h", frame, at)
        at += 2
    return frame[at : at + max(length, 0)].decode()
