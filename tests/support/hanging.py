"""Workers with a pattern that hangs at records that a test marks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.compiled_worker import AWorkerOf
from tests.support.files import ROOT
from tests.support.running import WORKER, AWorker, NotWorkedOff, Place, wait_worked_off

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_SECONDS = 4
HANGS = '''
import os, re, sys
import streams.app, streams.engine.batch, streams.processors.insighting

def a_pattern_that_backtracks():
    re.match(r"(a+)+$", "a" * 60 + "b")

class Hanging:
    """A record whose value is not to be had before the record is known to hang."""
    def __init__(self, message, batch):
        self._message, self._batch = message, batch
    def __getattr__(self, name):
        return getattr(self._message, name)
    def value(self):
        if self._message.offset() not in self._batch.condemned:
            a_pattern_that_backtracks()
        return self._message.value()

bind = streams.engine.batch.Batch.bind

def with_hanging(batch, *given):
    mark = b"hangs in " + batch.topic.rpartition(".")[2].encode()
    batch.messages = [Hanging(each, batch) if mark in (each.value() or b"") else each for each in batch.messages]
    bind(batch, *given)

streams.engine.batch.Batch.bind = with_hanging
fold_record = streams.processors.insighting.fold_record

def folded(state, record, *given):
    if any(each.name == "revenue_minor" and each.value % 1_000 == 77 for each in getattr(record, "counts", ())):
        a_pattern_that_backtracks()
    return fold_record(state, record, *given)

streams.processors.insighting.fold_record = folded
TRIES = "import os; exec(os.environ['HANGS']); from streams.__main__ import main; main()"
streams.app.TRIAL = (sys.executable, "-c", TRIES, "try-records")
'''


class AHangingWorker(AWorkerOf):
    """A worker that hangs in each record whose value has `hangs in <topic>`, and in facts with 77 cents.

    Its limit is a few seconds.
    """

    bugs = HANGS

    def __init__(self, place: Place, product: Path = ROOT) -> None:
        super().__init__(place, product, step_seconds_max=LIMIT_SECONDS)

    @property
    def program(self) -> list[str]:
        return ["-c", "import os; exec(os.environ['HANGS']); " + WORKER]

    def command(self) -> list[str]:
        env, *rest = super().command()
        return [env, f"HANGS={self.bugs}", *rest]


def worked_off(place: Place, worker: AWorker, seconds: float = 180.0) -> list[int]:
    """Starts the worker again whenever it has ended, until all is worked off; the exit codes of those that ended."""
    codes: list[int] = []
    give_up_at = time.monotonic() + seconds
    while True:
        code = worker.exit_code
        if code is not None:
            codes.append(code)
            worker.start()
        try:
            wait_worked_off(place, 1.0)
        except NotWorkedOff:
            assert time.monotonic() < give_up_at, f"ended with {codes}\n{worker.log.read_text()[-4000:]}"
        else:
            if worker.exit_code is None:
                return codes
