"""Candidates = final + open, checked with each record; the gauges that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.insights import Count, Facts
from schemas.journal import Configured
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.batch import Batch
from streams.flows.runtime import runner
from streams.insights.fold import stocks
from streams.insights.state import InsightCodec
from streams.processors.insighting import Insighting
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer
from streams.topics import Topics
from tests.support.flows import a_reminder
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    import msgspec

    from schemas.touchpoint import Touchpoint


def test_a_life_with_every_receipt_leaves_no_candidate_unaccounted() -> None:
    world = World(flows=[a_reminder(holdout_percent=0)])
    world.send(an_add(START_MS, user=None, anonymous_id="phone"), an_add(START_MS + 1))
    # the device turns out to be his: of two candidates one goes on
    world.send(a_touchpoint("page_viewed", START_MS + 2, anonymous_id="phone"))
    world.pass_time(START_MS + 3 * HOUR_MS)
    world.send(an_add(START_MS + DAY_MS), an_order(START_MS + DAY_MS + 1))
    assert world.total("decisions", "outcome=exited") == 2
    assert world.total("decisions", "outcome=sent") == 1
    assert world.total("candidates_unaccounted") == 0


@pytest.mark.interpreted
@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_order(START_MS + HOUR_MS), id="by an event"),
        pytest.param(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS), id="by a timer"),
    ],
)
def test_who_leaves_a_flow_without_a_receipt_is_counted(monkeypatch: pytest.MonkeyPatch, event: Touchpoint) -> None:
    world = World(flows=[a_reminder(holdout_percent=0)])
    world.send(an_add(START_MS))
    monkeypatch.setattr(runner, "give_receipt", lambda *_: None)  # a release that forgets one
    world.send(event)
    assert world.total("candidates_unaccounted") == 1


class Record:
    """A record of the topic facts."""

    def __init__(self, record: msgspec.Struct) -> None:
        self._value = SINGLE_OBJECT.encode(record)

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None


def test_gauges_keep_what_a_commit_did_not_change() -> None:
    metrics, overlay = Metrics(), Overlay[Any](MemoryStore(), InsightCodec())
    insighting = Insighting(
        Topics("t"), SINGLE_OBJECT, Observer(metrics, Known()), 1, lambda state: InsightSnapshot(stock=stocks(state))
    )
    insighting.assigned(0, overlay)

    def commit(*records: msgspec.Struct) -> None:
        messages: list[Any] = [Record(each) for each in records]
        batch = Batch("t.facts", 0, messages, 0)
        batch.bind(insighting.process, overlay)
        batch.run()
        insighting.committed()

    def gauges() -> list[float | None]:
        names = ("touchstream_decisions_open", "touchstream_forwards_open")
        return [metrics.registry.get_sample_value(name) for name in names]

    settings = Configured(DomainSettings(journal_partitions=1).model_dump_json(), 0)
    commit(settings, Facts(0, None, (Count("decisions_open", 0, "", 3), Count("forwards_sent", 0, "", 2)), ()))
    assert gauges() == [3, 2]
    commit(Facts(0, None, (Count("forwards_received", 0, "", 2),), ()))
    assert gauges() == [3, 0]
    insighting.revoked(0)
    insighting.assigned(0, overlay)
    commit(Facts(0, None, (Count("forwards_sent", 0, "", 1),), ()))
    assert gauges() == [3, 1]
