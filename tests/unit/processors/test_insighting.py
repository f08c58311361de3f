"""Gauges that follow the insights of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.insights import Count, Facts
from schemas.journal import Configured
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.batch import Batch
from streams.insights.fold import stocks
from streams.insights.state import InsightCodec
from streams.processors.insighting import Insighting
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer
from streams.topics import Topics

if TYPE_CHECKING:
    import msgspec


class Record:
    """A record of the topic facts."""

    def __init__(self, record: msgspec.Struct) -> None:
        self._value = SINGLE_OBJECT.encode(record)

    def value(self) -> bytes:
        return self._value

    def offset(self) -> int:
        return 0

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
