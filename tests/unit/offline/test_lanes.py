"""Partitions of a backtest that fold side by side."""

from __future__ import annotations

import pytest

from schemas.journal import SlotAnswered
from schemas.outputs import Decision, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.offline.backtest import backtest
from streams.offline.trial import Past, Trial
from tests.support.flows import a_bare_flow
from tests.support.kept import Kept, KeptJournal
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.months import FOR_EVER_MS, Heard
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint

A = "ab" * 32
OFFER = [{"name": "message", "do": "trigger", "offer": "save_5"}]
NEWS = a_bare_flow("news", "product_viewed", steps=OFFER)
USERS = "1234"


def lived(*flows: object) -> MemoryWorker:
    """Four users with one address look at something each day for three days."""
    worker = MemoryWorker(
        configured(clock="marks", touchpoint_partitions=1, journal_partitions=3, consent_default="granted", flows=flows)
    )
    worker.pass_time(START_MS)
    for day in range(3):
        now_ms = START_MS + day * DAY_MS
        for user in USERS:
            worker.send(a_touchpoint("product_viewed", now_ms + 1, user, email_hash=A, event_id=f"view-{day}-{user}"))
        worker.pass_time(now_ms + HOUR_MS)
        worker.pass_time(now_ms + 2 * HOUR_MS)
    worker.pass_time(START_MS + 30 * DAY_MS)
    return worker


def journal_of(worker: MemoryWorker) -> list[Kept]:
    return [record for partition in worker.journal for record in partition]


def foretold(journal: list[Kept], from_ms: int = 0) -> Heard:
    heard = Heard(from_ms)
    backtest(Past(KeptJournal(journal), SINGLE_OBJECT), Trial((NEWS,), from_ms, FOR_EVER_MS, is_alone=True), heard)
    return heard


def sent_to(said: list[Trigger | Decision]) -> list[str]:
    return [each.customer for each in said if isinstance(each, Trigger)]


def emitted(worker: MemoryWorker) -> list[str]:
    topics = [each.value for each in worker.outputs if each.topic.endswith("triggers")]
    return [SINGLE_OBJECT.decode(value).customer for value in topics if value is not None]


@pytest.mark.parametrize("flows", [(), (NEWS,), ({**NEWS, "id": "other"},)], ids=["none", "the same", "another"])
def test_one_of_those_who_share_an_address_gets_the_slot_whatever_was_published(flows: tuple[object, ...]) -> None:
    was_sent = emitted(lived(NEWS))
    assert sent_to(foretold(journal_of(lived(*flows))).said) == was_sent
    assert len(was_sent) == 3


def test_a_record_that_nobody_sent_here_holds_nobody_up() -> None:
    worker = lived()
    journal = journal_of(worker)
    first = next(each for each in journal if each.kept_key is not None and each.kept_headers == ())
    foreign = Kept(b"u:9", first.kept_value, (), -1, first.kept_partition)
    assert sent_to(foretold([foreign, *journal]).said) == emitted(lived(NEWS))


def test_a_trial_from_the_middle_on_keeps_what_addresses_granted_before() -> None:
    worker = lived(NEWS)
    from_ms = START_MS + DAY_MS + 2 * HOUR_MS
    said = foretold(journal_of(worker), from_ms).said
    assert sent_to(said) == emitted(worker)[2:]


def test_answers_of_the_journal_are_left_out() -> None:
    worker = lived(NEWS)
    journal = [
        each
        for each in journal_of(worker)
        if each.kept_value is None or type(SINGLE_OBJECT.decode(each.kept_value)) is not SlotAnswered
    ]
    assert len(journal) < len(journal_of(worker))
    assert sent_to(foretold(journal).said) == emitted(worker)
