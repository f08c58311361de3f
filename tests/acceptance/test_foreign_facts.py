"""Foreign records in `facts` neither stop insights nor move their time, and good ones around them count."""

from __future__ import annotations

import random
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.insights import Count, Facts, Kpi, PanelRow
from schemas.journal import RULES, Configured, ModelChunk, ModelTick, PartitionProgress, Progress, Wake
from schemas.limits import COUNTS_TAKEN_MAX, LONG_MAX, LONG_MIN, SETTINGS_BYTES_MAX
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.batch import Batch
from streams.insights.state import CLOCK, Clock, InsightCodec
from streams.processors.insighting import Insighting
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer
from streams.topics import Topics
from tests.support.insights import DAY_MS, HOUR_MS, at, counts, facts
from tests.support.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

    from schemas.outputs import DeadLetter

pytestmark = pytest.mark.acceptance

MONDAY = at("2024-01-01T00:00")
HOURS = 30
TOPICS = Topics("shop")
SETTINGS = DomainSettings(journal_partitions=2, grace_ms=0, clock="wall")


def configured(rules: int = RULES, **changed: Any) -> Configured:
    return Configured(SETTINGS.model_copy(update=changed).model_dump_json(), 0, rules)


def a_row(**changed: Any) -> PanelRow:
    fields = {"slot_ms": MONDAY, "recency_ms": 1, "orders": 1, "monetary_minor": 1, "gap_ms": 0, "engagement": 0.0}
    return PanelRow(customer_hash=1, **{**fields, **changed})


FOREIGN: list[tuple[str, msgspec.Struct | bytes]] = [
    *((f"partition {number}", Facts(number, MONDAY)) for number in (-1, 2, LONG_MAX >> 32)),
    *((f"complete to {ms}", Facts(0, ms)) for ms in (LONG_MAX, LONG_MIN, -1, 0, MONDAY + 400 * DAY_MS)),
    *(
        (f"hour {ms}", Facts(0, None, (Count("orders", ms, "", 1),)))
        for ms in (LONG_MAX, LONG_MIN, -HOUR_MS, 6_248_000_000_000_000, MONDAY + 1, MONDAY + 400 * DAY_MS)
    ),
    ("longs", Facts(1, None, tuple(Count("sessions", MONDAY + 2 * DAY_MS, "", LONG_MAX) for _ in range(5)))),
    ("no longs", Facts(1, None, tuple(Count("customers", 0, "segment=New", LONG_MIN) for _ in range(5)))),
    ("unknown names", Facts(1, None, (Count("", MONDAY, "", 1), Count("gold", 0, "x=y", 1), Count("a|b", 0, "|", 1)))),
    ("a long dimension", Facts(1, None, (Count("revenue_minor", MONDAY, "currency=" + "x" * 500_000, 0),))),
    ("a strange dimension", Facts(1, None, (Count("orders", MONDAY, "=", 7), Count("orders", MONDAY, "|=|", 7)))),
    ("many counts", Facts(1, None, (Count("orders", MONDAY, "", 1),) * (COUNTS_TAKEN_MAX + 1))),
    *(
        (f"row {changed}", Facts(1, None, (), (a_row(**changed),)))
        for changed in (
            {"engagement": nan},
            {"engagement": inf},
            {"engagement": -inf},
            {"recency_ms": LONG_MIN},
            {"gap_ms": LONG_MAX},
            {"orders": LONG_MIN},
            {"slot_ms": LONG_MAX},
            {"slot_ms": LONG_MIN},
        )
    ),
    ("a tick", ModelTick(LONG_MAX, -1)),
    ("a piece", ModelChunk("", "", -1, 0, "", b"")),
    ("progress", Progress((PartitionProgress(0, LONG_MAX),))),
    ("a wake", Wake(LONG_MAX)),
    ("more partitions", configured(journal_partitions=64)),
    ("another clock", configured(clock="marks")),
    ("large settings", Configured(SETTINGS.model_dump_json() + " " * SETTINGS_BYTES_MAX, 0, RULES)),
    ("the same settings again", configured()),
    ("nothing", b""),
    ("noise", bytes(range(256))),
    ("facts that are cut off", SINGLE_OBJECT.encode(Facts(0, MONDAY, counts(MONDAY, orders=1)))[:-3]),
]


class Insights:
    """Insights over state in memory, with the brokers' stamps."""

    def __init__(self) -> None:
        self.overlay: Overlay[Any] = Overlay(MemoryStore(), InsightCodec())
        observer = Observer(Metrics(), Known())
        self._insighting = Insighting(TOPICS, SINGLE_OBJECT, observer, 2, lambda _: InsightSnapshot())
        self.kpis: list[Kpi] = []
        self.letters: list[DeadLetter] = []

    def take(self, records: Iterable[msgspec.Struct | bytes], now_ms: int) -> None:
        """Process records as one batch, and those with which insights go on, and commit."""
        waiting = [each if isinstance(each, bytes) else SINGLE_OBJECT.encode(each) for each in records]
        while waiting:
            stamp = (TIMESTAMP_LOG_APPEND_TIME, now_ms)
            messages: list[Any] = [
                Kept(b"0", value, kept_timestamp=stamp, kept_topic=TOPICS.facts) for value in waiting
            ]
            batch = Batch(TOPICS.facts, 0, messages, 0)
            batch.bind(self._insighting.process, self.overlay)
            batch.run()
            assert batch.error is None, batch.error
            outputs = [(each.topic, each.value or b"") for each in batch.outputs or ()]
            waiting = [value for topic, value in outputs if topic == TOPICS.facts]
            self.kpis += [SINGLE_OBJECT.decode(value) for topic, value in outputs if topic == TOPICS.kpis]
            self.letters += [SINGLE_OBJECT.decode(value) for topic, value in outputs if topic == TOPICS.dead_letters]
            self.overlay.freeze()
            self.overlay.committed(1)
            self._insighting.committed()

    @property
    def told(self) -> dict[tuple[str, str, int, str], int]:
        """The last numerator of each KPI but of sessions, which a foreign record may well change."""
        last = sorted(self.kpis, key=lambda kpi: kpi.revision)
        names = {"orders", "revenue_minor"}
        return {(k.name, k.grain, k.start_ms, k.by): k.numerator for k in last if k.name in names and not k.by}


def good(hour: int) -> list[Facts]:
    start = MONDAY + hour * HOUR_MS
    given = counts(start, orders=hour + 1, revenue_minor=100 * hour)
    return [facts(*given, to=start + HOUR_MS, partition=number) for number in (0, 1)]


def run(chance: random.Random, foreign: list[msgspec.Struct | bytes]) -> Insights:
    insights = Insights()
    insights.take([configured()], MONDAY)
    chance.shuffle(foreign)
    for hour in range(HOURS):
        share = foreign[hour::HOURS]
        records = [*good(hour), *share]
        now_ms = MONDAY + (hour + 1) * HOUR_MS
        insights.take(records if chance.random() < 0.5 else [*share, *good(hour)], now_ms)
    return insights


@pytest.mark.parametrize("seed", range(5))
def test_between_foreign_records_insights_tell_what_they_tell_without_them(seed: int) -> None:
    calm = run(random.Random(seed), [])
    attacked = run(random.Random(seed), [record for _, record in FOREIGN] * 3)
    assert attacked.told == calm.told
    assert len(calm.told) >= 2 * (HOURS + 1)
    clock = attacked.overlay.get(CLOCK)
    assert isinstance(clock, Clock)
    assert clock.complete_ms == (MONDAY + HOURS * HOUR_MS,) * 2
    reasons = {letter.reason for letter in attacked.letters}
    assert reasons >= {"unknown_partition", "too_large", "unexpected_type", "other_prefix", "malformed", "not_avro"}
    assert "raised" not in reasons, [letter.detail for letter in attacked.letters if letter.reason == "raised"][:1]


@pytest.mark.parametrize(("name", "record"), FOREIGN, ids=[name for name, _ in FOREIGN])
def test_a_foreign_record_before_all_others_does_no_harm(name: str, record: msgspec.Struct | bytes) -> None:
    insights = Insights()
    insights.take([configured(), record], MONDAY)
    for hour in range(3):
        insights.take(good(hour), MONDAY + (hour + 1) * HOUR_MS)
    told = {hour: insights.told["orders", "hour", MONDAY + hour * HOUR_MS, ""] for hour in range(3)}
    assert told == {hour: 2 * (hour + 1) for hour in range(3)}, name
