"""A trial in a process of its own, and what its end says of a record."""

from __future__ import annotations

import sys
from threading import Event, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from streams.engine.hung import Hung, digest_of, hung_in
from streams.engine.settings import EngineSettings
from streams.engine.trial import TRIAL_LOG, TRIAL_TIMERS, TrialProcess

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "shop.journal", 3
LIMIT_SECONDS = 1.0
SETTINGS = b'{"prefix": "shop"}'
BEGINS = f"""
import faulthandler, re, sys, time
assert sys.stdin.buffer.readline() == {SETTINGS!r} + b"\\n"
topic, partition, last, limit, *known = sys.argv[1:]
assert (topic, partition, last) == ("shop.journal", "3", "22")
print("7 first", flush=True)
print("8 second", flush=True)
faulthandler.dump_traceback_later(float(limit), exit=True)
"""
HANGS = BEGINS + 're.match(r"(a+)+$", "a" * 60 + "b")'
ENDS = {
    "passes": BEGINS,
    "passes what is known": BEGINS + 'if "8" not in known: time.sleep(60)',
    "fails": BEGINS + "raise OSError('Timeout')",
    "waits for a disk": BEGINS + "time.sleep(60)",
    "is killed": BEGINS + "import os; os.kill(os.getpid(), 9)",
}


class AMessage:
    def __init__(self, offset: int, value: bytes) -> None:
        self.offset = lambda: offset
        self.key = lambda: b"u:anna"
        self.value = lambda: value


def a_trial(code: str, folder: Path) -> TrialProcess:
    settings = EngineSettings("", "shop", "shop-0", folder, step_seconds_max=LIMIT_SECONDS)
    return TrialProcess((sys.executable, "-c", code), SETTINGS, settings)


def test_a_record_hangs_if_its_trial_computes_until_the_limit(tmp_path: Path) -> None:
    found = a_trial(HANGS, tmp_path)(PLACE, 22, [], Event())
    assert found is not None
    assert (found.offset, found.digest) == (8, "second")
    assert found.detail.startswith(("Timeout (0:00:01)!", "Timeout (0:00:04)!"))


@pytest.mark.parametrize("end", ENDS)
def test_any_other_end_of_a_trial_blames_no_record(tmp_path: Path, end: str) -> None:
    known = [Hung(8, "second", "where")]
    assert a_trial(ENDS[end], tmp_path)(PLACE, 22, known, Event()) is None


def test_a_trial_ends_at_once_when_its_partition_is_given_up(tmp_path: Path) -> None:
    cancelled = Event()
    Timer(0.3, cancelled.set).start()
    code = BEGINS.replace("float(limit)", "60") + "time.sleep(60)"
    began_s = monotonic()
    assert a_trial(code, tmp_path)(PLACE, 22, [], cancelled) is None
    assert monotonic() - began_s < 30


def test_only_a_record_with_the_same_bytes_is_set_aside() -> None:
    messages: list[Any] = [AMessage(7, b"good"), AMessage(8, b"bad"), AMessage(9, b"good")]
    hung = {8: Hung(8, digest_of(messages[1]), "where"), 9: Hung(9, digest_of(messages[1]), "elsewhere")}
    assert hung_in(messages, hung) == {8: "where"}


FIRES = BEGINS + 'print(\'8 second ["u:anna", "flow:a b"]\', flush=True)\nre.match(r"(a+)+$", "a" * 60 + "b")'


def test_a_timer_hangs_if_the_record_has_fired_it_and_then_the_record_if_it_hangs_again(tmp_path: Path) -> None:
    trial = a_trial(FIRES, tmp_path)
    found = trial(PLACE, 22, [], Event())
    assert found is not None
    assert (found.offset, found.timer) == (8, ("u:anna", "flow:a b"))
    again = trial(PLACE, 22, [found], Event())
    assert again is not None
    assert (again.offset, again.timer) == (8, None)


def test_a_trial_knows_the_timers_that_hang_from_a_file_and_the_records_from_its_command(tmp_path: Path) -> None:
    timer = Hung(8, "second", "where", ("u:anna", "score"))
    path = str(tmp_path / TRIAL_TIMERS)
    code = BEGINS + f'assert known == ["9"]; assert "u:anna" in open({path!r}).read(); sys.exit("all known")'
    assert a_trial(code, tmp_path)(PLACE, 22, [timer, Hung(9, "third", "where")], Event()) is None
    assert (tmp_path / TRIAL_LOG).read_text().endswith("all known\n")
