"""The worst records of all runs, through a worker on a real Kafka: it must not stop, and verify must be exact."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT
from streams.demo.servers.broker import Broker
from streams.offline.verify import verify
from streams.operations.prefix import Prefix
from tests.support.flows import TEN
from tests.support.running import a_worker, make_place, send, wait_worked_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.touchpoint import Touchpoint

PATIENCE_SECONDS = 3_600.0
WRITTEN = ("journal", "triggers", "decisions", "credits", "profiles", "profiles_changelog", "facts", "kpis")


def play_worst(values: Sequence[bytes]) -> bool:
    """Send the records, wait until all is worked off, and print what came of them; return whether all is well."""
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        place = make_place(broker.bootstrap, "adversary", Path(folder), clock="wall", flows=list(TEN))
        send(place, _as_of_now([SINGLE_OBJECT.decode(value) for value in values]))
        begun_s = time.monotonic()
        with a_worker(place) as worker:
            wait_worked_off(place, PATIENCE_SECONDS)
            text = worker.log.read_text()
        seconds = time.monotonic() - begun_s
        letters = Counter(letter.reason for letter in place.records("dead_letters", DeadLetter))
        result = verify(
            Prefix(place.settings, place.domain, SINGLE_OBJECT), place.domain.journal_partitions, SINGLE_OBJECT
        )
        largest = {
            topic: max((len(message.value() or b"") for message in place.messages(topic)), default=0)
            for topic in (
                "journal",
                "triggers",
                "decisions",
                "credits",
                "profiles",
                "profiles_changelog",
                "facts",
                "kpis",
            )
        }
        aborts = text.count("cycle aborted")
        sys.stdout.write(
            f"{len(values):,} records in {seconds:.0f} s; aborted cycles: {aborts}; dead letters: {dict(letters)}\n"
            f"largest records in bytes: {largest}\nverify: {'exact' if result.holds else result.differences[:5]}\n"
        )
        return result.holds and not aborts


def _as_of_now(events: list[Touchpoint]) -> list[Touchpoint]:
    """Move the events in time, so that the last of them happens now."""
    later_ms = time.time_ns() // 1_000_000 - max(event.time_ms for event in events)
    return [msgspec.structs.replace(event, time_ms=event.time_ms + later_ms) for event in events]
