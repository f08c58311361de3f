"""A worker for the tests of the engine: counts records by key, with state, and may fail on demand.

Run as `python -m tests.support.engine_worker BROKERS PREFIX STATE_DIR SLOT [option ...]`. It reads PREFIX-in, with
state in PREFIX-changelog, and writes `value,count` to PREFIX-out; it reads PREFIX-plain, without state, and
passes it on to PREFIX-in. Options: raise=N (the processor raises in the middle of batches N and 2N), agent-raises=N
(the agent does, before it runs them), poison (raises at each value `poison`), hang (hangs at each value
`hang`, with a limit of two seconds), stuck (never gives a partition up), blocked (the store of partition 0 of
PREFIX-in never opens), sets-aside (leaves condemned records
out, and fails late at the values `large`, `unwritable` and `inconclusive`), pulse (asks for cycles and says so
in PREFIX-pulse), guarantee=..., static (a static member of the group), interval=MS, address=HOST:PORT of its web pages.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from state.codec import frame, open_frame
from streams.demo.servers.server import free_port
from streams.engine.batch import Batch, Output
from streams.engine.disk import LocalDisk
from streams.engine.driver import batches, create_app
from streams.engine.inputs import Input
from streams.engine.run import run
from streams.engine.settings import EngineSettings
from streams.engine.status import Status
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from state.store import Store

PULSE_SECONDS = 0.2
UNWRITABLE = -1


class CountCodec:
    def encode(self, key: bytes, value: int) -> bytes:  # noqa: ARG002 - of the protocol
        if value == UNWRITABLE:
            raise RuntimeError("asked to fail while state is written")
        return frame(1, 0, b"%d" % value)

    def decode(self, key: bytes, value: bytes) -> int:  # noqa: ARG002 - of the protocol
        return int(open_frame(value)[2])


class Counting(Quiet):
    def __init__(self, prefix: str, options: dict[str, str]) -> None:
        self._prefix = prefix
        self._raise_at = int(options.get("raise", "0"))
        self._poison = "poison" in options
        self._hang = "hang" in options
        self._sets_aside = "sets-aside" in options
        self._is_inconclusive = False
        self._stuck = "stuck" in options
        self._pulse = "pulse" in options
        self._pause_s = int(options.get("pause", "0")) / 1_000
        self._batches = 0
        self._pulsed_s = 0.0

    def process(self, batch: Batch) -> Iterator[Output]:
        assert batch.overlay is not None
        self._batches += 1
        time.sleep(self._pause_s)
        fails = self._batches in {self._raise_at, 2 * self._raise_at}
        for number, message in enumerate(batch.records()):
            if fails and number >= len(batch.messages) // 2:
                raise RuntimeError("asked to fail in the middle of a batch")
            key, value = message.key(), message.value()
            if self._sets_aside and message.offset() in batch.condemned:
                continue
            if self._poison and value == b"poison":
                raise RuntimeError("cannot digest poison")
            if self._hang and value == b"hang":
                # it keeps the interpreter's lock for longer than anyone waits
                re.match(r"(a+)+$", "a" * 60 + "b")
            count = (batch.overlay.get(key) or 0) + 1
            if self._sets_aside and value == b"large":
                value = os.urandom(2_000_000)  # brokers measure it compressed
            if self._sets_aside and value == b"unwritable":
                count = UNWRITABLE
            self._is_inconclusive |= self._sets_aside and value == b"inconclusive"
            batch.overlay.put(key, count, 0)
            yield Output(f"{self._prefix}-out", batch.partition, key, b"%b,%d" % (value, count))

    def revoked(self, partition: int) -> None:  # noqa: ARG002 - of the protocol
        while self._stuck:
            time.sleep(1)

    def wants_cycle(self) -> bool:
        return self._pulse and time.monotonic() - self._pulsed_s > PULSE_SECONDS

    def dropped(self) -> None:
        self._is_inconclusive = False

    def conclude(self, partitions: Collection[int]) -> Iterator[Output]:
        if self._is_inconclusive:
            raise RuntimeError("asked to fail at the end of a cycle")
        if self.wants_cycle():
            self._pulsed_s = time.monotonic()
            yield Output(f"{self._prefix}-pulse", 0, None, json.dumps(sorted(partitions)).encode())


class Passing(Quiet):
    def __init__(self, topic: str) -> None:
        self._topic = topic

    def process(self, batch: Batch) -> Iterator[Output]:
        assert batch.overlay is None
        for message in batch.messages:
            yield Output(self._topic, batch.partition, message.key(), message.value(), [("hops", b"1")])


def never_opened(open_store: Callable[[LocalDisk, Path], Store]) -> Callable[[LocalDisk, Path], Store]:
    def open_others(disk: LocalDisk, path: Path) -> Store:
        while path.name.endswith("-in-0"):
            time.sleep(1)
        return open_store(disk, path)

    return open_others


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    brokers, prefix, state_dir, slot, *words = sys.argv[1:]
    options = {name: value for name, _, value in (word.partition("=") for word in words)}
    if "blocked" in options:
        LocalDisk.open = never_opened(LocalDisk.open)  # type: ignore[method-assign, assignment]
    if "sets-aside" in options:
        # a traceback with large values in it would take longer than a transaction may last
        structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    settings = EngineSettings(
        brokers,
        prefix,
        f"{prefix}-{slot}",
        Path(state_dir),
        commit_interval_ms=int(options.get("interval", "100")),
        session_timeout_ms=3_000,
        transaction_timeout_ms=2_000,
        instance_id=slot if "static" in options else None,
        step_seconds_max=2 if "hang" in options else 30,
        guarantee="at_least_once" if options.get("guarantee") == "at_least_once" else "exactly_once",
    )
    counting = Input(f"{prefix}-in", Counting(prefix, options), f"{prefix}-changelog", CountCodec())
    passing = Input(f"{prefix}-plain", Passing(f"{prefix}-in"))
    status = Status()
    host, port = options.get("address", f"127.0.0.1:{free_port()}").split(":")
    app = create_app(
        prefix,
        settings,
        [counting, passing],
        web_port=int(port),
        web_host=host,
        status=status,
    )
    agent_raises_at = int(options.get("agent-raises", "0"))
    seen = 0

    @app.agent(batches(app, counting))
    async def count(stream: Any) -> None:
        nonlocal seen
        async for batch in stream:
            seen += 1
            if seen in {agent_raises_at, 2 * agent_raises_at}:
                await asyncio.sleep(0)
                raise RuntimeError("the agent was asked to fail")
            batch.run()

    @app.agent(batches(app, passing))
    async def pass_on(stream: Any) -> None:
        async for batch in stream:
            batch.run()

    @app.page("/status")
    async def show(web: Any, _: Any) -> Any:
        return web.json(
            {
                "ready": status.ready,
                "commits": status.commits,
                "aborts": status.aborts,
                "lag": sum(status.lags().values()),
                "owned": sorted(map(list, status.partitions)),
            }
        )

    run(app)


if __name__ == "__main__":
    main()
