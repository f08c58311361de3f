"""The door over HTTP in the test's own process, with a producer that the test answers for."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from confluent_kafka import KafkaError, KafkaException

from streams.demo.servers.server import free_port
from streams.serve.metrics import DoorMetrics
from streams.serve.outlet import Outlet
from streams.serve.server import Serving
from streams.serve.settings import Config, ServeSettings
from streams.worker_settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = "a-key-of-a-server-1"
BROWSER_KEY = "a-key-of-a-browser-1"
SHOP = "https://shop.example"
CONFIG: dict[str, Any] = {
    "keys": {
        "server": {"key": KEY, "source": "api"},
        "pages": {"key": BROWSER_KEY, "source": "web", "sender": "browser", "origins": [SHOP]},
    },
    "sources": {"till": {"door": "touchpoint", "verify": "bearer", "key": "a-key-of-the-till-1"}},
}
PARTITIONS = 4


class Sent(NamedTuple):
    """A record that was handed to the client."""

    topic: str
    value: bytes
    key: bytes | None
    partition: int
    headers: list[tuple[str, bytes]]

    @property
    def call(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.value)
        return found


class AProducer:
    """In confluent-kafka's place: acknowledges what `answers` says, when it is polled."""

    def __init__(self, _config: dict[str, Any]) -> None:
        self.sent: list[Sent] = []
        self.answers: Callable[[Sent], KafkaError | str | None] = lambda _: None
        """None: acknowledged; an error: refused; a text: no answer yet."""
        self.is_there = True
        self._open: list[tuple[Sent, Callable[[KafkaError | None, None], None]]] = []

    def produce(  # noqa: PLR0917 - the client's own
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        partition: int,
        on_delivery: Callable[[KafkaError | None, None], None],
        headers: list[tuple[str, bytes]],
    ) -> None:
        record = Sent(topic, value, key, partition, headers)
        self.sent.append(record)
        self._open.append((record, on_delivery))

    def poll(self, _seconds: float) -> int:
        before, self._open = self._open, []
        for record, tell in before:
            answer = self.answers(record)
            if isinstance(answer, str):
                self._open.append((record, tell))
            else:
                tell(answer, None)
        return 0

    def flush(self, _seconds: float) -> int:
        self.poll(0)
        return len(self._open)

    def list_topics(self, _topic: str, _seconds: float) -> None:
        if not self.is_there:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))  # noqa: SLF001 - its name


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


class ADoor:
    """A door that listens, and a client of it."""

    def __init__(self, serving: Serving, producer: AProducer, metrics: DoorMetrics, port: int) -> None:
        self.serving = serving
        self.producer = producer
        self.metrics = metrics
        self.port = port
        self.client: aiohttp.ClientSession
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def sent(self) -> list[Sent]:
        return self.producer.sent

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection for bytes that no client would send; it ends with the test."""
        streams = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(streams[1])
        return streams

    async def leave(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def asked(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """`headers` with underscores for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(method, f"http://127.0.0.1:{self.port}{path}", data=body, headers=named) as got:
            return Answer(got.status, dict(got.headers), await got.text())

    async def call(self, kind: str, document: Any, key: str | None = KEY, **headers: str) -> Answer:
        """A call with a write key as Segment's libraries make it."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        named = {"Content_Type": "application/json"} | ({} if key is None else {"Authorization": basic(key)}) | headers
        return await self.asked("POST", f"/v1/{kind}", body, **named)


def basic(key: str, password: str = "") -> str:
    return "Basic " + b64encode(f"{key}:{password}".encode()).decode()


def a_track(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "event": "Product Viewed",
        "messageId": f"m-{number}",
        "userId": "7",
        "timestamp": "2026-01-01T00:00:00.250Z",
        **fields,
    }


@asynccontextmanager
async def a_door(config: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[ADoor]:
    port = free_port()
    given = ServeSettings(port=port, stop_seconds_max=2, **settings)
    producers: list[AProducer] = []

    def make(client: dict[str, Any]) -> AProducer:
        producers.append(AProducer(client))
        return producers[-1]

    metrics = DoorMetrics()
    place = "shop.touchpoints", PARTITIONS
    outlet = Outlet(WorkerSettings(), given, place, metrics.acknowledged, make)
    serving = Serving(given, Config.model_validate(CONFIG if config is None else config), outlet, metrics)
    await serving.start()
    door = ADoor(serving, producers[0], metrics, port)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as door.client:
        try:
            yield door
        finally:
            await door.leave()
            await serving.stop()


def with_a_door(use: Callable[[ADoor], Any], config: dict[str, Any] | None = None, **settings: Any) -> None:
    """Run a test of a door."""

    async def run() -> None:
        async with a_door(config, **settings) as door:
            await use(door)

    asyncio.run(run())
