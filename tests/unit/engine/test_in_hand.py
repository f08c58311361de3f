"""The file that says what a worker had in hand when it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from streams.engine.in_hand import SIZE, InHand, LeftInHand, left_in_hand

if TYPE_CHECKING:
    from pathlib import Path

DIES_AT_WORK = """
import os, signal, sys
from pathlib import Path
from streams.engine.in_hand import InHand
in_hand = InHand(Path(sys.argv[1]))
in_hand.note_time(1_000)
in_hand.take(("shop.journal", 3))
in_hand.hold(7, 22)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_in_hand_is_known_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "in-hand"
    died = subprocess.run([sys.executable, "-c", DIES_AT_WORK, str(path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert left_in_hand(path) == LeftInHand(("shop.journal", 3), 7, 22, 1_000)


def test_a_batch_that_was_done_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "in-hand"
    in_hand = InHand(path)
    in_hand.take(("shop.journal", 3))
    in_hand.hold(7, 22)
    assert left_in_hand(path) is not None
    in_hand.clear()
    assert left_in_hand(path) is None


def test_the_next_process_begins_with_nothing_in_hand(tmp_path: Path) -> None:
    path = tmp_path / "in-hand"
    InHand(path).hold(7, 22)
    InHand(path)
    assert left_in_hand(path) is None


def test_a_shorter_name_leaves_nothing_of_the_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "in-hand"
    in_hand = InHand(path)
    in_hand.take(("a-topic-of-the-longest-kind" * 9, 1))
    in_hand.take(("shop", 0))
    in_hand.hold(0, 0)
    assert left_in_hand(path) == LeftInHand(("shop", 0), 0, 0, 0)


def test_a_file_that_is_missing_or_not_ours_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "in-hand"
    assert left_in_hand(path) is None
    for content in (b"", b"\0" * SIZE, b"x" * SIZE, os.urandom(SIZE), b"in-hand1" + b"\0" * 100):
        path.write_bytes(content)
        assert left_in_hand(path) is None
