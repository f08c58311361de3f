"""Gauges that follow the insights of a commit, and facts that cannot be added up."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME

from schemas.insights import Count, Facts, Kpi
from schemas.journal import RULES, Configured, Progress
from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.app import held_insights
from streams.engine.batch import Batch
from streams.insights.fold import stocks
from streams.insights.kpis import FORMULAS
from streams.insights.state import InsightCodec
from streams.processors.insighting import GOING_ON, Insighting
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept

if TYPE_CHECKING:
    import msgspec

    from streams.engine.batch import Output

HOUR_MS = 1_704_153_600_000
"""2024-01-02T00:00, a Tuesday."""


def a_message(record: msgspec.Struct) -> Kept:
    """A record of the topic facts."""
    stamp = (TIMESTAMP_CREATE_TIME, 0)
    return Kept(b"0", SINGLE_OBJECT.encode(record), kept_offset=7, kept_timestamp=stamp, kept_topic="t.facts")


class BrokenWire:
    """Cannot write KPIs."""

    decode = SINGLE_OBJECT.decode

    def encode(self, record: msgspec.Struct) -> bytes:
        if isinstance(record, Kpi):
            raise OverflowError("the release has a bug")
        return SINGLE_OBJECT.encode(record)


def test_gauges_keep_what_a_commit_did_not_change() -> None:
    metrics, overlay = Metrics(), Overlay[Any](MemoryStore(), InsightCodec())
    insighting = Insighting(
        Topics("t"), SINGLE_OBJECT, Observer(metrics, Known()), 1, lambda state: InsightSnapshot(stock=stocks(state))
    )
    insighting.assigned(0, overlay)

    def commit(*records: msgspec.Struct) -> None:
        messages: list[Any] = [a_message(each) for each in records]
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


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_who_takes_over_shows_what_the_worker_before_showed(zone: str, seed: int) -> None:
    chance, overlay = Random(seed), Overlay[Any](MemoryStore(), InsightCodec())
    known = Known(kpis=tuple(formula.name for formula in FORMULAS))

    def a_worker() -> tuple[Insighting, Metrics]:
        metrics = Metrics()
        insighting = Insighting(Topics("t"), SINGLE_OBJECT, Observer(metrics, known), 1, held_insights)
        insighting.assigned(0, overlay)
        return insighting, metrics

    def shown(metrics: Metrics) -> list[str]:
        lines = metrics.text().decode().splitlines()
        return [line for line in lines if line.startswith(("touchstream_kpi{", "touchstream_kpi_window_timestamp"))]

    worker, metrics = a_worker()
    domain = DomainSettings(journal_partitions=1, grace_ms=0, reporting_time_zone=zone)
    records: list[msgspec.Struct] = [Configured(domain.model_dump_json(), 0, RULES)]
    now_ms, seen = HOUR_MS, set()
    for _ in range(60):
        late_ms = chance.choice((0, 0, 1, 2, 30)) * 3_600_000
        names = chance.sample(("orders", "revenue_minor", "sessions", "sessions_ordered", "refunds_minor"), 3)
        counts = tuple(Count(name, now_ms - late_ms, "", chance.randrange(1, 9)) for name in names)
        now_ms += chance.choice((0, 1, 1, 5, 30)) * 3_600_000
        records.append(Facts(0, now_ms, counts))
        messages: list[Any] = [a_message(each) for each in records]
        batch = Batch("t.facts", 0, messages, 0)
        batch.bind(worker.process, overlay)
        batch.run()
        worker.committed()
        records = [GOING_ON] if any(each.topic == "t.facts" for each in batch.outputs or ()) else []
        _, metrics_after = a_worker()
        assert shown(metrics_after) == shown(metrics)
        seen.update(shown(metrics))
    assert len(seen) > 200


def test_facts_that_make_the_code_raise_leave_no_trace_and_others_count() -> None:
    def of(wire: Any, *records: msgspec.Struct) -> tuple[dict[bytes, bytes], list[Any], dict[Any, int]]:
        overlay = Overlay[Any](MemoryStore(), InsightCodec())
        insighting = Insighting(Topics("t"), wire, Observer(Metrics(), Known()), 1, lambda _: InsightSnapshot())
        messages: list[Any] = [a_message(each) for each in records]
        batch = Batch("t.facts", 0, messages, 0)
        batch.bind(insighting.process, overlay)
        batch.run()
        assert batch.error is None
        overlay.freeze()
        overlay.committed(1)
        sent = [SINGLE_OBJECT.decode(each.value or b"") for each in batch.outputs or ()]
        insighting.committed()
        return dict(overlay.store.items()), sent, stocks(overlay)

    settings = Configured(DomainSettings(journal_partitions=1, grace_ms=0).model_dump_json(), 0)
    first = Facts(0, HOUR_MS, (Count("orders", HOUR_MS, "", 1), Count("decisions_open", 0, "", 3)), ())
    closing = Facts(0, HOUR_MS + 2 * 3_600_000, (Count("decisions_open", 0, "", 5),), ())
    last = Facts(0, None, (Count("decisions_open", 0, "", 1),), ())
    calm, _, totals = of(SINGLE_OBJECT, settings, first, last)
    state, sent, same_totals = of(BrokenWire(), settings, first, closing, last)
    assert (state, same_totals) == (calm, totals)
    assert totals["decisions_open", ""] == 4
    (letter,) = sent
    assert isinstance(letter, DeadLetter)
    assert (letter.stage, letter.reason, letter.source_offset) == ("insights", "raised", 7)


def test_what_does_not_belong_in_facts_is_a_dead_letter() -> None:
    overlay = Overlay[Any](MemoryStore(), InsightCodec())
    insighting = Insighting(Topics("t"), SINGLE_OBJECT, Observer(Metrics(), Known()), 1, lambda _: InsightSnapshot())
    messages: list[Any] = [a_message(each) for each in (Facts(0), Progress())]
    batch = Batch("t.facts", 0, messages, 0)
    batch.bind(insighting.process, overlay)
    batch.run()
    reasons = [SINGLE_OBJECT.decode(each.value or b"").reason for each in batch.outputs or ()]
    assert reasons == ["not_configured", "unexpected_type"]


def test_what_a_record_leaves_is_concluded_by_one_that_insights_write_to_their_own_topic() -> None:
    overlay = Overlay[Any](MemoryStore(), InsightCodec())
    metrics = Metrics()
    insighting = Insighting(Topics("t"), SINGLE_OBJECT, Observer(metrics, Known()), 1, lambda _: InsightSnapshot())

    def outputs(*records: msgspec.Struct) -> list[Output]:
        messages: list[Any] = [a_message(each) for each in records]
        batch = Batch("t.facts", 0, messages, 0)
        batch.bind(insighting.process, overlay)
        batch.run()
        return batch.outputs or []

    settings = Configured(DomainSettings(journal_partitions=1, grace_ms=0).model_dump_json(), 0)
    sent = outputs(settings, Facts(0, HOUR_MS, (Count("orders", HOUR_MS, "", 1),)))
    assert not [each for each in sent if each.topic == "t.facts"]
    sent = outputs(Facts(0, HOUR_MS + 400 * 24 * 3_600_000))
    rounds, hours = 0, 0
    while going_on := [SINGLE_OBJECT.decode(each.value or b"") for each in sent if each.topic == "t.facts"]:
        assert going_on == [GOING_ON]
        hours += sum(each.topic == "t.kpis" for each in sent)
        rounds += 1
        sent = outputs(GOING_ON)
    assert rounds > 20
    assert hours == (35 * 24 + 1) * 8 + 36 * 8
