"""The limit on one step of the event loop."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from streams.engine.batch import Batch, Output
from streams.engine.in_hand import left_in_hand
from streams.engine.step_watch import IN_HAND, StepWatch
from tests.support.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANGS = """
import re, sys
from pathlib import Path
from streams.engine.step_watch import StepWatch
watch = StepWatch(Path(sys.argv[1]), 0.5)
watch.take(("shop.journal", 1))
watch.hold(5, 8)
def a_pattern_that_backtracks():
    re.match(r"(a+)+$", "a" * 60 + "b")
a_pattern_that_backtracks()
"""
GOES_ON = """
import asyncio, sys, time
from pathlib import Path
from streams.engine.step_watch import StepWatch
watch = StepWatch(Path(sys.argv[1]), 0.5)
async def go_on():
    watch.start()
    for _ in range(5):
        time.sleep(0.2)
        await asyncio.sleep(0)
    await asyncio.sleep(0.7)
    for _ in range(5):
        time.sleep(0.2)
        watch.hold(1, 2)
    watch.close()
    time.sleep(0.7)
    watch.renew()
    time.sleep(0.7)
asyncio.run(go_on())
"""


class Told:
    """A watch that notes what it is told."""

    slice_records = 2

    def __init__(self) -> None:
        self.said: list[object] = []

    def start(self) -> None: ...

    def renew(self) -> None: ...

    def take(self, place: object) -> None:
        self.said.append(place)

    def hold(self, first: int, last: int) -> None:
        self.said.append((first, last))

    def clear(self) -> None:
        self.said.append("done")

    def close(self) -> None: ...


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(folder)], check=False, capture_output=True, text=True)


def test_a_pattern_that_hangs_ends_the_process_with_a_traceback(tmp_path: Path) -> None:
    before_ms = int(time.time() * 1_000)
    ended = run(HANGS, tmp_path / "state")
    assert ended.returncode == 1
    assert "a_pattern_that_backtracks" in ended.stderr
    left = left_in_hand(tmp_path / "state" / IN_HAND)
    assert left is not None
    assert (left.place, left.first, left.last) == (("shop.journal", 1), 5, 8)
    assert before_ms <= left.began_ms <= time.time() * 1_000


def test_a_process_that_goes_on_or_has_stopped_working_is_left_alone(tmp_path: Path) -> None:
    ended = run(GOES_ON, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def a_batch(offsets: range) -> Batch:
    messages: list[Any] = [Kept(None, None, kept_offset=offset) for offset in offsets]
    return Batch("shop.journal", 1, messages, offsets.stop)


def test_a_batch_notes_its_records_before_they_are_processed() -> None:
    told, batch = Told(), a_batch(range(3, 8))

    def process(given: Batch) -> Iterator[Output]:
        for message in given.records():
            told.said.append(message.offset())
        yield Output("out", 0, None, None)

    batch.bind(process, None, told)
    batch.run()
    assert told.said == [("shop.journal", 1), (3, 4), 3, 4, (5, 6), 5, 6, (7, 7), 7, "done"]
    assert batch.outputs is not None


def test_a_batch_that_raises_has_nothing_in_hand_any_more(tmp_path: Path) -> None:
    watch = StepWatch(tmp_path, 30)
    batch = a_batch(range(3, 8))

    def process(given: Batch) -> Iterator[Output]:
        for _ in given.records():
            assert left_in_hand(tmp_path / IN_HAND) is not None
            raise ZeroDivisionError
        yield Output("out", 0, None, None)

    batch.bind(process, None, watch)
    batch.run()
    watch.close()
    assert isinstance(batch.error, ZeroDivisionError)
    assert left_in_hand(tmp_path / IN_HAND) is None
