"""Records that a worker may have hung at, from one process to the next."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

from streams.engine.hung import Hung
from streams.engine.in_hand import InHand
from streams.engine.step_watch import IN_HAND
from streams.engine.suspects import HUNG, Suspects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streams.kafka.offsets import PartitionId

PLACE = "shop.journal", 3
LIMIT_SECONDS = 30.0


class ATrial:
    """A trial that finds these records, one after another."""

    def __init__(self, *offsets: int) -> None:
        self._offsets = list(offsets)
        self.asked: list[tuple[PartitionId, int, list[int]]] = []

    def __call__(self, place: PartitionId, last: int, known: Sequence[Hung], cancelled: Event) -> Hung | None:
        self.asked.append((place, last, [each.offset for each in known]))
        return Hung(self._offsets.pop(0), "digest", "where") if self._offsets and not cancelled.is_set() else None


def ended_at_work(folder: Path, seconds_ago: float) -> None:
    """A process began with records 7 to 22 so long ago, and ended with them in hand."""
    in_hand = InHand(folder / IN_HAND)
    in_hand.note_time(int((time.time() - seconds_ago) * 1_000))
    in_hand.take(PLACE)
    in_hand.hold(7, 22)


def suspects(folder: Path, trial: ATrial) -> Suspects:
    """The next process, which has nothing in hand yet."""
    found = Suspects(folder, folder / IN_HAND, LIMIT_SECONDS, trial)
    InHand(folder / IN_HAND)
    return found


def hung(found: Suspects) -> list[int]:
    return [each.offset for each in found.examine(PLACE, Event())]


def test_what_was_in_hand_for_longer_than_the_limit_is_tried_until_no_other_record_hangs(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    trial = ATrial(9, 12)
    assert hung(suspects(tmp_path, trial)) == [9, 12]
    assert trial.asked == [(PLACE, 22, []), (PLACE, 22, [9]), (PLACE, 22, [9, 12])]


def test_a_process_that_was_killed_before_the_limit_is_not_suspected(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 5)
    trial = ATrial(9)
    assert hung(suspects(tmp_path, trial)) == []
    assert trial.asked == []


def test_a_record_that_hangs_is_known_to_later_processes_until_it_is_passed(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    assert hung(suspects(tmp_path, ATrial(9))) == [9]
    again = suspects(tmp_path, ATrial())
    again.passed(PLACE, 9)
    assert hung(again) == [9]
    again.passed(PLACE, 10)
    assert hung(again) == hung(suspects(tmp_path, ATrial())) == []


def test_a_process_that_ends_before_its_trial_does_leaves_the_suspicion_to_the_next(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    cancelled = Event()
    cancelled.set()
    assert suspects(tmp_path, ATrial(9)).examine(PLACE, cancelled) == ()
    assert hung(suspects(tmp_path, ATrial(9))) == [9]


def test_a_trial_that_finds_the_same_record_again_is_the_last(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    trial = ATrial(9, 9, 9)
    assert hung(suspects(tmp_path, trial)) == [9]
    assert len(trial.asked) == 2


def test_other_partitions_are_not_held_up(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    trial = ATrial(9)
    found = suspects(tmp_path, trial)
    assert found.examine(("shop.journal", 2), Event()) == ()
    found.passed(("shop.journal", 2), 5)
    assert trial.asked == []


def test_damaged_notes_are_no_notes(tmp_path: Path) -> None:
    (tmp_path / HUNG).write_bytes(b"[{")
    assert hung(suspects(tmp_path, ATrial())) == []


def test_a_record_that_hangs_again_although_its_timer_fails_is_set_aside_itself(tmp_path: Path) -> None:
    ended_at_work(tmp_path, 31)
    timer = Hung(9, "digest", "where", ("u:anna", "score"))
    given = [timer, timer, None]
    noted = Suspects(tmp_path, tmp_path / IN_HAND, LIMIT_SECONDS, lambda *_: given.pop(0))
    assert [each.what for each in noted.examine(PLACE, Event())] == [(9, timer.timer), (9, None)]
    assert given == []
