"""A release with a bug in each stage: all else goes through, and a later fold of the journal agrees with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.outputs import DeadLetter, Decision, Trigger
from schemas.touchpoint import Mark
from streams.offline.journal_file import JournalFile
from streams.operations.folded_journal import PrefixJournal, export_journal
from streams.operations.prefix import open_prefix
from tests.support.claims import assert_verified
from tests.support.compiled_worker import AWorkerOf
from tests.support.files import ROOT
from tests.support.flows import a_flow
from tests.support.foretold import emitted, foretold, of_kind
from tests.support.growing import grown, repartition
from tests.support.outcomes import ORDERED, differing, read_outcome
from tests.support.running import WORKER, Place, a_worker, make_place, send, wait_worked_off
from tests.support.world import DAY_MS, HOUR_MS, START_MS, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.acceptance

FLOWS = [a_flow(holdout_percent=0)]
FAULTY_MS = START_MS + 8 * HOUR_MS
# each is in the way of interpreted and of compiled code: a compiled function calls another directly
BUGS = f"""
import schemas.wire, streams.engine.batch, streams.processors.insighting
from schemas.journal import Progress
from schemas.outputs import ProfileView, Trigger

class Faulty:
    def __init__(self, message):
        self._message = message
        self._reads = 0
    def __getattr__(self, name):
        return getattr(self._message, name)
    def value(self):
        # a record is tried twice, and then its dead letter has the value
        self._reads += 1
        if self._reads <= 2:
            raise ZeroDivisionError("the release has a bug")
        return self._message.value()

def is_faulty(topic, value):
    if b"poison in " + topic.rpartition(".")[2].encode() in value:
        return True
    if value.startswith(schemas.wire.SINGLE_OBJECT.header(Progress)):
        return any(each.time_ms == {FAULTY_MS} for each in schemas.wire.SINGLE_OBJECT.decode(value).partitions)
    return False

bind = streams.engine.batch.Batch.bind
def with_faults(batch, *given):
    batch.messages = [Faulty(each) if is_faulty(batch.topic, each.value() or b"") else each for each in batch.messages]
    bind(batch, *given)
streams.engine.batch.Batch.bind = with_faults

def raising(encode, is_met):
    def encoded(header, record):
        if is_met(record):
            raise ZeroDivisionError("the release has a bug")
        return encode(header, record)
    return encoded

encoders = schemas.wire._ENCODERS
encoders[ProfileView] = raising(encoders[ProfileView], lambda view: view.customer == "u:encode")
encoders[Trigger] = raising(encoders[Trigger], lambda trigger: trigger.customer == "u:timer")

fold_record = streams.processors.insighting.fold_record
def folded(state, record, *given):
    if any(each.name == "revenue_minor" and each.value % 1_000 == 77 for each in getattr(record, "counts", ())):
        raise ZeroDivisionError("the release has a bug")
    return fold_record(state, record, *given)
streams.processors.insighting.fold_record = folded
"""


class AFaultyWorker(AWorkerOf):
    """A release with a bug in each stage, from a folder of sources or of compiled modules."""

    @property
    def program(self) -> list[str]:
        return ["-c", "import streams.fold.fold; print(streams.fold.fold.__file__)\n" + BUGS + WORKER]


def lived(place: Place, product: Path) -> None:
    good = [an_order(START_MS + hour * HOUR_MS, user=f"good-{hour % 3}") for hour in range(8)]
    faulty = [
        an_order(START_MS + HOUR_MS, 5_000, user="door", source="poison in touchpoints"),
        an_order(START_MS + HOUR_MS, 6_000, user="fold", source="poison in journal"),
        an_order(START_MS + HOUR_MS, 7_000, user="encode"),
    ]
    carts = [an_add(START_MS, user=user) for user in ("cart", "timer")]
    worker = AFaultyWorker(place, product)
    with worker:
        send(place, [*carts, *sorted([*good, *faulty], key=lambda event: event.time_ms), Mark(START_MS + 5 * HOUR_MS)])
        wait_worked_off(place)
        send(place, [Mark(FAULTY_MS)])
        wait_worked_off(place)
        send(place, [an_order(START_MS + DAY_MS, 5_077, user="late"), Mark(START_MS + 2 * DAY_MS)])
        wait_worked_off(place)
    assert worker.exit_code == 0
    assert str(product) in worker.log.read_text().splitlines()[0]
    assert (".so" in worker.log.read_text().splitlines()[0]) == (product != ROOT)


def test_all_else_goes_through_and_whoever_folds_again_without_the_bugs_agrees(
    kafka: str, prefix: str, tmp_path: Path, product: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path, flows=FLOWS, journal_partitions=1, touchpoint_partitions=1)
    lived(place, product)
    letters = place.records("dead_letters", DeadLetter)
    assert sorted((each.stage, each.reason, each.key or b"") for each in letters) == [
        ("collect", "raised", b"u:door"),
        ("fold", "raised", b""),
        ("fold", "raised", b"u:encode"),
        ("fold", "raised", b"u:fold"),
        ("fold", "timer_failed", b"u:timer"),
        ("insights", "raised", b"0"),
    ]
    assert all("the release has a bug" in each.detail for each in letters)
    assert {each.customer for each in place.records("triggers", Trigger)} == {"u:cart"}
    assert read_outcome(place).total("orders") == 9

    assert_verified(place)
    said = foretold(PrefixJournal(open_prefix(place.settings)), FLOWS)
    for kind in (Trigger, Decision):
        assert of_kind(said, kind) == emitted(place, kind)
    path = tmp_path / "journal.avro"
    assert export_journal(open_prefix(place.settings), path) > 0
    assert foretold(JournalFile(path), FLOWS) == said
    done = repartition(place, 2)
    assert done.exit_code == 0, done.output
    new = grown(place, 2)
    with a_worker(new):
        wait_worked_off(new)
    assert differing(read_outcome(place), read_outcome(new), (*ORDERED, "profiles")) == {}
    assert_verified(new)
