"""Marks in the journal say which records workers set aside, with dead letters or without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.journal import SetAside
from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT, encode
from streams.fold.record import journal_headers
from streams.kafka.journal import COPIED
from streams.offline.marks import Aside, Letters, marked, read_mark
from streams.offline.refold import refold
from streams.offline.verify import fold_hashes, verify
from tests.support.kept import Kept, KeptTopics
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.world import HOUR_MS, START_MS, an_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

HEADERS = journal_headers(START_MS)


def a_worker() -> MemoryWorker:
    return MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))


def verified(topics: dict[str, list[Kept]]) -> Any:
    return verify(KeptTopics(topics), 1, SINGLE_OBJECT)


def marks_in(messages: Iterable[Kept]) -> dict[int, str]:
    return {mark.offset: mark.reason for mark in marked(cast("list[Message]", messages), SINGLE_OBJECT)}


def test_a_refused_record_is_marked_behind_it_in_its_partition() -> None:
    worker = a_worker()
    worker.append(b"u:1", b"rubbish", HEADERS)
    worker.append(b"u:1", encode(DeadLetter("", "", "", "", 0, 0)), HEADERS)
    worker.send(an_order(START_MS))
    worker.commit()
    assert marks_in(worker.journal[0]) == {1: "not_avro", 2: "unexpected_type"}
    assert [number for number, each in enumerate(worker.journal[0]) if _mark(each)] == [4, 5]
    assert verified(worker.topics()).holds


@pytest.mark.interpreted
def test_who_folds_again_leaves_out_what_is_marked_though_the_code_was_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dead letter is needed, for they are kept for a shorter time."""
    worker = a_worker()
    worker.send(an_order(START_MS, user="good"))
    monkeypatch.setattr("streams.fold.fold.fold_touchpoint", None)
    worker.send(an_order(START_MS + 1, user="bad"))
    worker.commit()
    monkeypatch.undo()
    worker.send(an_order(START_MS + 2, user="bad"))
    worker.pass_time(START_MS + HOUR_MS)
    assert marks_in(worker.journal[0]) == {1: "raised", 2: "raised"}
    topics = worker.topics()
    assert verified(topics).holds
    letters = topics["dead_letters"]
    gone: dict[str, list[Kept]] = {**topics, "dead_letters": []}
    assert verified(gone).holds
    assert fold_hashes(KeptTopics(gone), 1, SINGLE_OBJECT) == fold_hashes(KeptTopics(topics), 1, SINGLE_OBJECT)
    messages = cast("list[Message]", worker.journal[0])
    folded = refold(messages, SINGLE_OBJECT, Aside(dict.fromkeys(marks_in(worker.journal[0]), ())))
    assert dict(folded.state.items()) == worker.stored()
    assert dict(refold(messages, SINGLE_OBJECT).state.items()) != worker.stored()
    assert len(letters) == 2


def test_a_mark_without_its_letter_is_not_believed_and_named() -> None:
    """Someone else wrote it: what it names was folded."""
    worker = a_worker()
    worker.append(b"u:1", b"rubbish", HEADERS)
    worker.send(an_order(START_MS))
    worker.append(None, SetAside(2, "forged"))
    worker.commit()
    found = verified(worker.topics())
    (difference,) = found.differences
    assert (difference.topic, difference.key, difference.folded) == ("dead_letters", "2", "set aside: forged")
    assert found.different["dead_letters"] == 1


@pytest.mark.parametrize("offset", [-1, 2, 3, 1 << 62, -(1 << 63)])
def test_a_mark_names_an_earlier_record_or_nothing(offset: int) -> None:
    worker = a_worker()
    worker.send(an_order(START_MS))
    worker.append(None, SetAside(offset, "forged"))
    worker.send(an_order(START_MS + 1))
    worker.commit()
    assert marks_in(worker.journal[0]) == {}
    assert verified(worker.topics()).holds


def test_what_only_looks_like_a_mark_is_none() -> None:
    value = encode(SetAside(0, "raised"))
    kept = [Kept(b"u:1", value, (), 5), Kept(None, value[:-1], (), 6), Kept(None, None, (), 7), Kept(None, b"", (), 8)]
    assert [_mark(each) for each in kept] == [None] * 4
    assert marks_in(kept) == {}


def test_letters_that_are_gone_make_no_mark_doubtful() -> None:
    letter = encode(DeadLetter("raised", "", "fold", "memory.journal", 0, 9))
    messages: list[Any] = [Kept(b"u:1", letter, (), kept_offset=7, kept_timestamp=(1, START_MS + 48 * HOUR_MS))]
    letters = Letters(messages, SINGLE_OBJECT)
    old, new = (
        Kept(None, encode(SetAside(3, "raised")), (), 4),
        Kept(None, encode(SetAside(5, "forged")), (), 6, kept_timestamp=(1, START_MS + 72 * HOUR_MS)),
    )
    both: list[Any] = [old, new]
    marks = marked(both, SINGLE_OBJECT)
    assert letters.set_aside(0, marks) == {3: (), 9: ()}
    assert [mark.offset for mark in letters.unfounded(0, marks)] == [5]


def test_letters_of_another_prefix_and_rubbish_among_them_count_for_nothing() -> None:
    letter = encode(DeadLetter("raised", "", "fold", "memory.journal", 0, 9))
    messages = [
        Kept(b"u:1", b"rubbish", (), 0),
        Kept(b"u:1", letter, ((COPIED, bytes(8)),), 1),
        Kept(b"u:1", encode(DeadLetter("timer_failed", "", "fold", "timer:score", 0, 8)), (), 2),
        Kept(b"u:1", encode(DeadLetter("raised", "", "collect", "memory.touchpoints", 0, 7)), (), 3),
    ]
    assert Letters(cast("list[Message]", messages), SINGLE_OBJECT).set_aside(0, []) == {}


def test_letters_of_insights_are_known_apart_from_those_of_the_fold() -> None:
    of_facts = [encode(DeadLetter("raised", "", "insights", "memory.facts", 0, offset)) for offset in (4, 5)]
    messages = [Kept(None, of_facts[0], (), 0), Kept(None, of_facts[1], ((COPIED, bytes(8)),), 1)]
    letters = Letters(cast("list[Message]", messages), SINGLE_OBJECT)
    assert letters.of_facts == {4}
    assert letters.left_out(0, []) == {}


def _mark(message: Kept) -> SetAside | None:
    return read_mark(cast("Message", message), SINGLE_OBJECT)
