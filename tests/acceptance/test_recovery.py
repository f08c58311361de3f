"""A killed worker recovers from its disk, and without the disk from the changelog."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from streams.operations.prefix import open_prefix
from tests.support.running import AWorker, Place, make_place, send, wait_worked_off
from tests.support.watching import until
from tests.support.world import START_MS, an_add

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

CUSTOMERS = 2_000


def test_a_restart_reads_the_tail_of_the_changelog_and_a_lost_disk_all_of_it(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path, clock="wall")
    worker = AWorker(place, membership="static")
    with worker:
        send(place, (an_add(START_MS, user=f"{number}") for number in range(1, 1 + CUSTOMERS)))
        wait_worked_off(place)
        wait_written(place)
        worker.kill()
    started = len(worker.log.read_text())
    with worker:
        at_restart = restored(place, worker, started)
        worker.kill()
    shutil.rmtree(worker.folder / "state")
    started = len(worker.log.read_text())
    with worker:
        at_rebuild = restored(place, worker, started)
    assert at_restart <= CUSTOMERS // 10
    assert at_rebuild >= CUSTOMERS


def wait_written(place: Place) -> None:
    """The local state follows a commit, and comes before the next one, which brings the next second of time."""
    opened = open_prefix(place.settings)
    before = opened.folded_to()
    until(
        lambda: all(now > then for now, then in zip(opened.folded_to(), before, strict=True)),
        "one more commit in every partition",
    )


def restored(place: Place, worker: AWorker, start: int) -> int:
    """Records that were read back for the journal's partitions since the log had `start` characters."""

    def ready() -> dict[int, int]:
        lines = [json.loads(line) for line in worker.log.read_text()[start:].splitlines() if "partition ready" in line]
        return {line["partition"]: line["restored_records"] for line in lines if line["topic"] == place.topics.journal}

    until(lambda: len(ready()) == place.domain.journal_partitions, "every partition of the journal is ready")
    return sum(ready().values())
