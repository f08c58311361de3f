"""Backtest = live where addresses are shared over partitions: on a generated shop whose households have one address.

The shop lives twice, in three partitions of the journal, each time with other flows. The journal of either life
predicts what customers got in the other one.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import SlotAnswered
from schemas.outputs import Decision, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.flows.language.files import library_documents
from streams.offline.journal_file import JournalFile, write_journal
from streams.profiles.effects import hash_64
from streams.shop.generator import Shop, ShopParameters
from tests.support.flows import TEN, a_bare_flow
from tests.support.foretold import foretold, of_kind
from tests.support.kept import KeptJournal
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.world import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.foretold import Said

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

HOUSEHOLDS = 40
NEWS = a_bare_flow("news", "product_viewed", steps=[{"name": "message", "do": "trigger", "offer": "save_5"}])
FLOWS: dict[str, tuple[dict[str, Any], ...]] = {
    "all": (*TEN, NEWS),
    "few": library_documents("abandoned_cart", "post_purchase"),
}


@cache
def lived(name: str, seed: int = 5) -> MemoryWorker:
    """A worker to which the shop happened, with these flows; time comes each hour."""
    worker = MemoryWorker(
        configured(
            clock="marks",
            touchpoint_partitions=1,
            journal_partitions=3,
            consent_default="granted",
            flows=FLOWS[name],
        )
    )
    parameters = ShopParameters(seed=seed, days=8, orders_per_hour=3, customers=150, outages=())
    hour_ms = 0
    for event in Shop(parameters).touchpoints():
        if event.time_ms >= hour_ms:
            hour_ms = event.time_ms - event.time_ms % HOUR_MS
            worker.pass_time(hour_ms)
            hour_ms += HOUR_MS
        if event.email_hash is not None:
            event = replace(event, email_hash=f"{hash_64(event.email_hash) % HOUSEHOLDS:064x}")  # noqa: PLW2901
        worker.send(event)
    for _ in range(10 * 24):
        worker.pass_time(hour_ms)
        hour_ms += HOUR_MS
    worker.pass_time(hour_ms + 30 * DAY_MS)
    return worker


def emitted(worker: MemoryWorker) -> Said:
    found: Said = defaultdict(list)
    for each in worker.outputs:
        if each.value is not None and each.topic.endswith(("triggers", "decisions")):
            record = SINGLE_OBJECT.decode(each.value)
            if isinstance(record, Trigger | Decision):
                found[(each.key or b"").decode()].append(record)
    return found


def journal_of(worker: MemoryWorker) -> KeptJournal:
    return KeptJournal([record for partition in worker.journal for record in partition])


@pytest.mark.parametrize("tried", FLOWS)
@pytest.mark.parametrize("published", FLOWS)
def test_the_journal_of_either_life_predicts_what_customers_got_in_the_other(published: str, tried: str) -> None:
    worker = lived(tried)
    said, was_said = foretold(journal_of(lived(published)), FLOWS[tried]), emitted(worker)
    for kind in (Trigger, Decision):
        assert of_kind(said, kind) == of_kind(was_said, kind)
    answers = [
        SINGLE_OBJECT.decode(each.value) for each in worker.outputs if each.topic.endswith("journal") and each.value
    ]
    granted = [each.is_granted for each in answers if isinstance(each, SlotAnswered)]
    assert min(granted.count(True), granted.count(False)) > 20


def test_the_journal_in_a_file_predicts_the_same(tmp_path: Path) -> None:
    path, journal = tmp_path / "journal.avro", journal_of(lived("few"))
    write_journal(path, journal)
    assert foretold(JournalFile(path), FLOWS["all"]) == foretold(journal, FLOWS["all"])
