"""Marks of timers that were parked: a fold by fixed code parks them at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.journal import SetAside
from schemas.outputs import DeadLetter, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.engine import hung as hung_records
from streams.engine.batch import Batch
from streams.engine.hung import Hung, digest_of, note_hung
from streams.flows.runtime.runner import on_due
from streams.fold import timers
from streams.fold.record import TimerSetAside
from streams.fold.scoring import on_slot
from streams.kafka.journal import COPIED, failed_header, guarding, reader
from streams.offline.marks import Failed, Letters, folded, marked
from streams.offline.refold import refold
from streams.offline.verify import verify
from tests.support.flows import a_flow
from tests.support.kept import Kept, KeptTopics
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.world import DAY_MS, HOUR_MS, START_MS, an_add, an_order

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.profiles.profile import Profile

TIMER = ("u:bad", "flow:abandoned_cart")


def raising_for_bad(profile: Profile, run: Any, flows: Any, at: Any, **named: Any) -> Profile:
    if at.customer == "u:bad":
        raise ZeroDivisionError("the release has a bug")
    return on_due(profile, run, flows, at, **named)


def lived(hung: tuple[Hung, ...] = ()) -> MemoryWorker:
    """Three carts, whose reminders are due when time has passed; `hung` is noted of the records that pass time."""
    worker = MemoryWorker(
        configured(
            clock="marks",
            touchpoint_partitions=1,
            journal_partitions=1,
            consent_default="granted",
            flows=[a_flow(holdout_percent=0)],
        )
    )
    for user in ("anna", "bad", "carl"):
        worker.send(an_add(START_MS, user=user))
    worker.hung = hung
    worker.pass_time(START_MS + 3 * HOUR_MS)
    worker.pass_time(START_MS + 9 * HOUR_MS)
    return worker


def hung_at_progress() -> tuple[Hung, ...]:
    progress = lived().journal[0][4]
    return (Hung(4, digest_of(cast("Message", progress)), "Timeout (0:00:04)!", TIMER),)


def decoded(records: list[Kept], kind: type[Any]) -> list[Any]:
    found = [SINGLE_OBJECT.decode(each.value() or b"") for each in records if each.value()]
    return [each for each in found if isinstance(each, kind)]


@pytest.fixture(params=["hangs", pytest.param("raises", marks=pytest.mark.interpreted)])
def worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MemoryWorker:
    """A worker in which the reminder of `u:bad` failed once; the release that folds again has no bug."""
    if request.param == "hangs":
        return lived(hung_at_progress())
    with monkeypatch.context() as patched:
        patched.setattr(timers, "flow_due", raising_for_bad)
        return lived()


def test_the_timer_is_parked_and_all_others_fire(worker: MemoryWorker) -> None:
    topics = worker.topics()
    (letter,) = decoded(topics["dead_letters"], DeadLetter)
    assert (letter.reason, letter.stage, letter.key) == ("timer_failed", "fold", b"u:bad")
    assert letter.source_topic == "timer:flow:abandoned_cart"
    assert sorted(each.customer for each in decoded(topics["triggers"], Trigger)) == ["u:anna", "u:carl"]
    assert decoded(topics["journal"], SetAside) == [SetAside(4, "timer_failed", *TIMER, 1)]


def test_a_release_without_the_bug_folds_the_same(worker: MemoryWorker) -> None:
    topics = worker.topics()
    found = verify(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert found.holds, found.differences
    unmarked = [each for each in topics["journal"] if not SINGLE_OBJECT.is_a(SetAside, each.value() or b"")]
    assert not verify(KeptTopics({**topics, "journal": unmarked}), 1, SINGLE_OBJECT).holds


def test_a_copied_journal_names_the_timers_by_a_header_of_their_record(worker: MemoryWorker) -> None:
    messages = cast("list[Message]", worker.journal[0])
    letters = Letters(cast("list[Message]", worker.topics()["dead_letters"]), SINGLE_OBJECT)
    copied = [
        Kept(each.key(), each.value(), (*(each.headers() or ()), (COPIED, bytes(8))), place)
        for place, each in enumerate(folded(messages, letters.left_out(0, messages)))
    ]
    again = refold(cast("list[Message]", copied), SINGLE_OBJECT)
    assert dict(again.state.items()) == worker.stored()


def test_a_mark_of_a_timer_without_its_letter_is_not_believed(worker: MemoryWorker) -> None:
    forged = Kept(None, SINGLE_OBJECT.encode(SetAside(1, "forged", "u:anna", "score", 1)), (), len(worker.journal[0]))
    topics = worker.topics()
    topics["journal"] = [*topics["journal"], forged]
    *_, mark = marked(cast("list[Message]", topics["journal"]), SINGLE_OBJECT)
    assert (mark.offset, mark.timer) == (1, Failed("u:anna", "score", 1))
    found = verify(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert [(each.topic, each.key) for each in found.differences] == [("dead_letters", "1")]


def test_a_hanging_timer_is_only_known_in_a_record_with_the_same_bytes() -> None:
    (hung,) = hung_at_progress()
    batch = Batch("memory.journal", 0, cast("Any", lived().journal[0]), 9)
    note_hung(batch, [hung._replace(digest="of another topic")])
    assert (batch.guards, batch.condemned) == ({}, {})
    note_hung(batch, [hung])
    assert (list(batch.guards), batch.condemned) == ([4], {})


def test_a_forged_mark_beside_one_that_is_believed_takes_nothing_from_it(worker: MemoryWorker) -> None:
    topics = worker.topics()
    end = len(worker.journal[0])
    forged = [SetAside(4, "forged"), SetAside(4, "forged", "u:anna", "score", 1)]
    topics["journal"] = [
        *topics["journal"],
        *(Kept(None, SINGLE_OBJECT.encode(each), (), end + number) for number, each in enumerate(forged)),
    ]
    found = verify(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert [(each.topic, each.key, each.folded) for each in found.differences] == [
        ("dead_letters", "4", "set aside: forged")
    ] * 2


@pytest.mark.interpreted
@pytest.mark.parametrize("good", [0, 1, 3])
def test_a_timer_that_fires_some_times_before_it_fails_is_parked_at_the_same_time(
    good: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is due each week, and one record may pass weeks."""
    until_ms = START_MS + good * 7 * DAY_MS

    def raising(profile: Profile, due_ms: int, at: Any) -> Profile:
        if at.customer == "u:bad" and due_ms > until_ms + HOUR_MS:
            raise ZeroDivisionError("the release has a bug")
        return on_slot(profile, due_ms, at)

    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    for user in ("anna", "bad", "carl"):
        worker.send(an_order(START_MS, user=user))
    with monkeypatch.context() as patched:
        patched.setattr(timers, "on_slot", raising)
        worker.pass_time(START_MS + 40 * DAY_MS)
        (mark,) = decoded(worker.topics()["journal"], SetAside)
        assert (mark.customer, mark.timer) == ("u:bad", "slot")
        with_the_bug = verify(KeptTopics(worker.topics()), 1, SINGLE_OBJECT)
    fixed = verify(KeptTopics(worker.topics()), 1, SINGLE_OBJECT)
    assert with_the_bug.holds, with_the_bug.differences
    assert fixed.holds, fixed.differences


def test_a_record_of_a_copied_journal_keeps_its_failed_timers_beside_one_that_hangs_here() -> None:
    asked: list[tuple[str, str, int]] = []
    header = failed_header([Failed("u:anna", "score", 2)])
    message = cast("Message", Kept(b"u:1", SINGLE_OBJECT.encode(an_add(START_MS)), (header,), 7))
    guard = guarding(reader(SINGLE_OBJECT), {7: lambda *given: asked.append(given)})(message).guard
    assert guard is not None
    guard("u:anna", "score", 1)
    with pytest.raises(TimerSetAside):
        guard("u:anna", "score", 2)
    assert asked == [("u:anna", "score", 1)]


def test_bytes_are_looked_at_only_where_something_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def digest(message: Kept) -> str:
        looked.append(message.offset())
        return digest_of(cast("Message", message))

    monkeypatch.setattr(hung_records, "digest_of", digest)
    messages = [Kept(b"u:1", b"", (), offset) for offset in range(100, 200)]
    hung = [Hung(7, "", ""), Hung(150, "", ""), Hung(151, "", "", TIMER), Hung(500, "", "")]
    note_hung(Batch("memory.journal", 0, cast("Any", messages), 200), hung)
    assert looked == [150, 151]
