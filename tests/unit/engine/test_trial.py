"""A trial in a process of its own, and what its end says of a record."""

from __future__ import annotations

import sys
from threading import Event, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.engine.batch import Batch, Condemned
from streams.engine.hung import Hung, digest_of, note_hung
from streams.engine.settings import EngineSettings
from streams.engine.trial import KNOWN, TRIAL_LOG, TrialProcess
from streams.fold.attempt import HUNG

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "shop.journal", 3
LIMIT_SECONDS = 1.0
SETTINGS = b'{"prefix": "shop"}'
BEGINS = f"""
import faulthandler, re, sys, time
assert sys.stdin.buffer.readline() == {SETTINGS!r} + b"\\n"
topic, partition, last, limit = sys.argv[1:]
assert (topic, partition, last) == ("shop.journal", "3", "22")
print("7 first", flush=True)
print("8 second", flush=True)
faulthandler.dump_traceback_later(float(limit), exit=True)
"""
HANGS = BEGINS + 're.match(r"(a+)+$", "a" * 60 + "b")'
ENDS = {
    "passes": BEGINS,
    "passes what is known": BEGINS + "if '\"second\"' not in open(KNOWN).read(): time.sleep(60)",
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
    code = ENDS[end].replace("KNOWN", repr(str(tmp_path / KNOWN)))
    assert a_trial(code, tmp_path)(PLACE, 22, known, Event()) is None


def test_a_trial_ends_at_once_when_its_partition_is_given_up(tmp_path: Path) -> None:
    cancelled = Event()
    Timer(0.3, cancelled.set).start()
    code = BEGINS.replace("float(limit)", "60") + "time.sleep(60)"
    began_s = monotonic()
    assert a_trial(code, tmp_path)(PLACE, 22, [], cancelled) is None
    assert monotonic() - began_s < 30


def test_only_a_record_with_the_same_bytes_is_set_aside() -> None:
    messages: list[Any] = [AMessage(7, b"good"), AMessage(8, b"bad"), AMessage(9, b"good")]
    batch = Batch("shop.journal", 1, messages, 10)
    note_hung(batch, [Hung(8, digest_of(messages[1]), "where"), Hung(9, digest_of(messages[1]), "elsewhere")])
    assert batch.condemned == {8: Condemned(HUNG, "where")}


FIRES = BEGINS + 'print(\'8 second ["u:anna", "flow:a b"]\', flush=True)\nre.match(r"(a+)+$", "a" * 60 + "b")'


def test_a_timer_hangs_if_the_record_has_fired_it(tmp_path: Path) -> None:
    found = a_trial(FIRES, tmp_path)(PLACE, 22, [], Event())
    assert found is not None
    assert found.what == (8, ("u:anna", "flow:a b"))


def test_a_trial_knows_what_hangs_from_a_file_and_nobody_reads_of_customers_in_its_command(tmp_path: Path) -> None:
    known = [Hung(8, "second", "where", ("u:anna", "score")), Hung(9, "third", "where")]
    code = BEGINS + f"print(open({str(tmp_path / KNOWN)!r}).read(), file=sys.stderr); sys.exit('all known')"
    assert a_trial(code, tmp_path)(PLACE, 22, known, Event()) is None
    read, end = (tmp_path / TRIAL_LOG).read_text().splitlines()
    assert msgspec.json.decode(read, type=list[Hung]) == known
    assert end == "all known"
