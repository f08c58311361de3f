"""A worker of the yardstick job: `python -m tests.bench.yardstick.worker BROKERS TOPIC RUN FOLDER SLOT`.

It reads TOPIC, writes credits-RUN and segments-RUN, and keeps its state in FOLDER and changelog-RUN. It notes a Stamp
in FOLDER/SLOT.stamps before its first batch and after each commit. Commits are as far apart as those of the
transactional peers; every other setting is the engine's own.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from streams.demo.servers.server import free_port
from streams.engine.driver import batches, create_app
from streams.engine.inputs import Input
from streams.engine.run import run
from streams.engine.settings import EngineSettings
from tests.bench.yardstick.job import Rfm, StateCodec

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

    from state.overlay import Overlay
    from streams.engine.batch import Batch, Output

COMMIT_INTERVAL_MS = 1_000


class Stamp(msgspec.Struct, frozen=True):
    """At a moment: records worked off so far, the process's CPU seconds, the partitions owned."""

    time_s: float
    records: int
    cpu_s: float
    partitions: int


class Stamped(Rfm):
    """The job, with notes of its progress."""

    def __init__(self, credits_topic: str, segments_topic: str, stamps: IO[bytes]) -> None:
        super().__init__(credits_topic, segments_topic)
        self._stamps = stamps
        self._begun = False
        self._records = self._committed = 0
        self._owned: set[int] = set()

    def process(self, batch: Batch) -> Iterator[Output]:
        if not self._begun and batch.messages:
            self._begun = True
            self._stamp()
        self._records += len(batch.messages)
        return super().process(batch)

    def committed(self) -> None:
        self._committed = self._records
        if self._begun:
            self._stamp()

    def dropped(self) -> None:
        self._records = self._committed

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:  # noqa: ARG002 - of the protocol
        self._owned.add(partition)

    def revoked(self, partition: int) -> None:
        self._owned.discard(partition)

    def _stamp(self) -> None:
        stamp = Stamp(time.time(), self._records, time.process_time(), len(self._owned))
        self._stamps.write(msgspec.json.encode(stamp) + b"\n")
        self._stamps.flush()


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    brokers, topic, name, folder, slot = sys.argv[1:]
    settings = EngineSettings(
        brokers, name, f"{name}-{slot}", Path(folder) / f"state-{slot}", commit_interval_ms=COMMIT_INTERVAL_MS
    )
    with (Path(folder) / f"{slot}.stamps").open("wb") as stamps:
        rfm = Stamped(f"credits-{name}", f"segments-{name}", stamps)
        source = Input(topic, rfm, f"changelog-{name}", StateCodec())
        app = create_app(name, settings, [source], web_port=free_port(), web_host="127.0.0.1")

        @app.agent(batches(app, source))
        async def touches(stream: AsyncIterable[Batch]) -> None:
            async for batch in stream:
                batch.run()

        run(app)


if __name__ == "__main__":
    main()
