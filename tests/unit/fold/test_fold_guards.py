"""A record whose timers are guarded folds as any other does, unless the guard raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import Configured, PartitionProgress, Progress
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.fold.fold import Fold
from streams.fold.partition_state import JournalCodec
from streams.fold.record import Record
from streams.profiles.effects import Effects, FlowEffects
from tests.support.flows import a_flow
from tests.support.memory_worker import configured
from tests.support.world import HOUR_MS, START_MS, an_add

if TYPE_CHECKING:
    from streams.profiles.effects import Guard

CUSTOMER = "u:1"


def records() -> list[Record]:
    """A prefix of the wall's time from its first record on; one touchpoint came a minute ahead of its broker."""
    settings = SINGLE_OBJECT.decode(
        configured(journal_partitions=1, touchpoint_partitions=1, consent_default="granted", flows=[a_flow()])
    )
    assert isinstance(settings, Configured)
    late_ms = START_MS + 9 * HOUR_MS
    events = [(an_add(START_MS), START_MS), (an_add(START_MS + HOUR_MS), START_MS + HOUR_MS + 60_000)]
    return [
        Record("", settings, b"", 0, 0, appended_ms=START_MS),
        *(
            Record(CUSTOMER, event, SINGLE_OBJECT.encode(event), received_ms, 0, appended_ms=event.time_ms)
            for event, received_ms in events
        ),
        Record("", Progress((PartitionProgress(0, late_ms),)), b"", 0, 0, appended_ms=late_ms),
    ]


def folded(given: list[Record], guard: Guard | None, kind: type[Effects]) -> list[object]:
    """All that came of them, and the state."""
    overlay: Overlay[Any] = Overlay(MemoryStore(), JournalCodec())
    fold, came = Fold(overlay, kind), list[object]()
    for record in given:
        effects = fold(replace(record, guard=guard))
        came.append((effects.outputs, effects.journal, effects.counts, effects.panel))
    return [*came, overlay.freeze()]


@pytest.mark.parametrize("kind", [Effects, FlowEffects])
def test_a_guard_that_lets_all_timers_fire_changes_nothing(kind: type[Effects]) -> None:
    asked: list[tuple[str, str, int]] = []
    given = records()
    assert folded(given, lambda *timer: asked.append(timer), kind) == folded(given, None, kind)
    assert (CUSTOMER, "flow:abandoned_cart", 1) in asked
    # when its timer is done the record goes on
    assert asked[-1] == ("", "", 0)
