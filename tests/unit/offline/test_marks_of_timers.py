"""Marks of timers that were parked: a fold by fixed code parks them at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.journal import SetAside
from schemas.outputs import DeadLetter, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.engine.batch import Batch
from streams.engine.hung import Hung, digest_of, note_hung
from streams.flows.runtime.runner import on_due
from streams.fold import timers
from streams.kafka.journal import COPIED
from streams.offline.marks import Letters, folded, marked
from streams.offline.refold import refold
from streams.offline.verify import verify
from tests.support.flows import a_flow
from tests.support.kept import Kept, KeptTopics
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.world import HOUR_MS, START_MS, an_add

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
    assert decoded(topics["journal"], SetAside) == [SetAside(4, "timer_failed", *TIMER)]


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
    forged = Kept(None, SINGLE_OBJECT.encode(SetAside(1, "forged", "u:anna", "score")), (), len(worker.journal[0]))
    topics = worker.topics()
    topics["journal"] = [*topics["journal"], forged]
    marks = marked(cast("list[Message]", topics["journal"]), SINGLE_OBJECT)
    assert marks[1].timers == (("u:anna", "score"),)
    found = verify(KeptTopics(topics), 1, SINGLE_OBJECT)
    assert [(each.topic, each.key) for each in found.differences] == [("dead_letters", "1")]


def test_a_hanging_timer_is_only_known_in_a_record_with_the_same_bytes() -> None:
    (hung,) = hung_at_progress()
    batch = Batch("memory.journal", 0, cast("Any", lived().journal[0]), 9)
    note_hung(batch, [hung._replace(digest="of another topic")])
    assert (batch.guards, batch.hung) == ({}, {})
    note_hung(batch, [hung])
    assert (list(batch.guards), batch.hung) == ([4], {})
