"""A replay against a real broker; the worker is a thread that answers as one would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas import wire
from schemas.insights import Facts
from schemas.journal import CollectedTo, ModelTick, PartitionProgress
from schemas.outputs import DeadLetter
from schemas.touchpoint import Mark, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.replay.barrier import SilentStage
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Origin, Reason, RefusedLines
from streams.replay.replayer import ReplayError, ReplayOptions, ReplaySummary, Source, replay
from streams.replay.target import Target
from streams.settings import DomainSettings

FRIDAY_MS = int(datetime(2011, 1, 7, 9, 30, tzinfo=UTC).timestamp()) * 1000
MONDAYS_MS = [int(datetime(2011, 1, day, tzinfo=UTC).timestamp()) * 1000 for day in (10, 17)]
DOMAIN = DomainSettings.model_validate({"clock": "marks", "touchpoint_partitions": 3, "journal_partitions": 2})


def a_view(number: int, time_ms: int, user: str | None = None) -> MappedTouchpoint:
    who = f"user-{number % 7}" if user is None else user
    return MappedTouchpoint(Touchpoint(event_id=str(number), type="page_viewed", time_ms=time_ms, user_id=who), 1)


@pytest.fixture
def target(kafka: str, prefix: str) -> Target:
    target = Target({"bootstrap.servers": kafka}, prefix, DOMAIN)
    counts = {"touchpoints": 3, "journal": 2, "facts": 1, "dead-letters": 1}
    topics = [NewTopic(f"{target.prefix}.{name}", count, 1) for name, count in counts.items()]
    admin = AdminClient(target.kafka)
    for future in admin.create_topics(topics).values():
        future.result()
    return target


class FakeWorker(threading.Thread):
    """Reads marks as a member of the group; writes CollectedTo, facts and, at Mondays, the expected ModelTick."""

    def __init__(self, target: Target, stages: frozenset[str]) -> None:
        super().__init__()
        self._target = target
        self._stages = stages
        self._ended = threading.Event()
        self._marks: dict[int, int] = {}
        self._now = 0

    def run(self) -> None:
        consumer = Consumer(
            {
                **self._target.kafka,
                "group.id": self._target.prefix,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                "fetch.wait.max.ms": 10,
            }
        )
        producer = Producer(self._target.kafka)
        consumer.subscribe([self._target.topics.touchpoints])
        while not self._ended.is_set():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                record = wire.decode(message.value() or b"")
                if isinstance(record, Mark):
                    self._marks[message.partition() or 0] = record.time_ms
                    self._follow(consumer, producer)
        consumer.close()

    def _follow(self, consumer: Consumer, producer: Producer) -> None:
        now = min(self._marks.values())
        if len(self._marks) < DOMAIN.touchpoint_partitions or now <= self._now:
            return
        ticks = [monday for monday in MONDAYS_MS if self._now < monday <= now]
        self._now = now
        journal, facts = self._target.topics.journal, self._target.topics.facts
        told = tuple(PartitionProgress(partition, now) for partition in range(DOMAIN.touchpoint_partitions))
        for partition in range(DOMAIN.journal_partitions):
            if "collect" in self._stages:
                producer.produce(journal, wire.encode(CollectedTo(told)), b"", partition)
            if "profiles" in self._stages:
                producer.produce(facts, wire.encode(Facts(partition, now)), str(partition))
            if "insights" in self._stages:
                for tick in ticks:
                    producer.produce(journal, wire.encode(ModelTick(time_ms=tick, panel_share_ppm=0)), b"", partition)
        producer.flush()
        if "insights" in self._stages:
            place = TopicPartition(facts, 0)
            place.offset = consumer.get_watermark_offsets(place)[1]
            consumer.commit(offsets=[place], asynchronous=False)

    def end(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def a_worker(target: Target, *stages: str) -> Iterator[None]:
    worker = FakeWorker(target, frozenset(stages or ("collect", "profiles", "insights")))
    worker.start()
    try:
        yield
    finally:
        worker.end()


def play(target: Target, *mapped: Mapped, silent_seconds: float = 20.0) -> ReplaySummary:
    return replay([Source("a file", mapped)], target, ReplayOptions(silent_seconds=silent_seconds))


def written(target: Target, topic: str, partitions: int) -> list[list[object]]:
    """Decoded records of each partition."""
    consumer = Consumer({**target.kafka, "group.id": f"{target.prefix}-reader", "enable.auto.commit": False})
    records: list[list[object]] = [[] for _ in range(partitions)]
    for partition in range(partitions):
        place = TopicPartition(f"{target.prefix}.{topic}", partition, 0)
        _, high = consumer.get_watermark_offsets(place)
        consumer.assign([place])
        while len(records[partition]) < high:
            message = consumer.poll(10.0)
            assert message is not None
            assert message.error() is None
            records[partition].append(wire.decode(message.value() or b""))
    consumer.close()
    return records


def test_marks_stand_in_every_partition_before_the_touchpoints_that_follow_them(target: Target) -> None:
    with a_worker(target):
        summary = play(target, *(a_view(number, FRIDAY_MS + number * HOUR_MS // 4) for number in range(400)))
    assert summary.touchpoints == 400
    assert summary.ticks == 2
    assert summary.end_ms == FRIDAY_MS + 399 * HOUR_MS // 4 + 8 * DAY_MS
    partitions = written(target, "touchpoints", 3)
    assert sum(isinstance(record, Touchpoint) for records in partitions for record in records) == 400
    for records in partitions:
        marks = [record.time_ms for record in records if isinstance(record, Mark)]
        assert marks == [*range(FRIDAY_MS - HOUR_MS // 2, summary.end_ms, HOUR_MS), summary.end_ms]
        now = 0
        for record in records:
            assert isinstance(record, Mark | Touchpoint)
            assert record.time_ms >= now
            now = record.time_ms if isinstance(record, Mark) else now


def test_customers_lie_in_the_partition_that_every_other_client_computes(target: Target) -> None:
    with a_worker(target):
        play(target, a_view(1, FRIDAY_MS, user="21"), a_view(2, FRIDAY_MS, user="foobar"))
    placed = {
        record.user_id: partition
        for partition, records in enumerate(written(target, "touchpoints", 3))
        for record in records
        if isinstance(record, Touchpoint)
    }
    assert placed == {"21": java_murmur2(b"u:21") % 3, "foobar": java_murmur2(b"u:foobar") % 3}


def java_murmur2(key: bytes) -> int:
    """org.apache.kafka.common.utils.Utils.murmur2, made positive as the default partitioner does."""
    mask, prime = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    for start in range(0, len(key) // 4 * 4, 4):
        k = int.from_bytes(key[start : start + 4], "little") * prime & mask
        k = (k ^ k >> 24) * prime & mask
        h = (h * prime & mask) ^ k
    rest = key[len(key) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * prime & mask
    h = (h ^ h >> 13) * prime & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def test_refused_lines_become_dead_letters_and_the_good_ones_go_through(target: Target) -> None:
    nobody = MappedTouchpoint(Touchpoint(event_id="x", type="page_viewed", time_ms=FRIDAY_MS), 1)
    with a_worker(target):
        summary = play(
            target,
            a_view(1, FRIDAY_MS),
            RefusedLines(Reason.ZERO_TOTAL, "an order that totals 0", 7, b"a,b\nc,d\n", 2),
            nobody,
            a_view(2, FRIDAY_MS + HOUR_MS),
            a_view(3, FRIDAY_MS - HOUR_MS),
        )
    assert (summary.touchpoints, summary.dead_letters, summary.lines) == (2, 3, 6)
    assert summary.files["a file"].refused == {"zero_total": 2, "no_customer": 1, "out_of_order": 1}
    letters = written(target, "dead-letters", 1)[0]
    assert letters[0] == DeadLetter(
        reason="zero_total",
        detail="an order that totals 0",
        stage="replay",
        source_topic="a file",
        source_partition=-1,
        source_offset=7,
        value=b"a,b\nc,d\n",
        lines=2,
    )


def test_what_collect_would_refuse_is_refused_before_the_replay_begins_with_it(target: Target) -> None:
    nowhen = MappedTouchpoint(Touchpoint(event_id="x", type="page_viewed", time_ms=1, user_id="u"), 1)
    huge = MappedTouchpoint(msgspec.structs.replace(a_view(2, FRIDAY_MS).touchpoint, channel="x" * 1_000_000), 1)
    unnamed = MappedTouchpoint(msgspec.structs.replace(a_view(3, FRIDAY_MS).touchpoint, type="custom"), 1)
    with a_worker(target):
        summary = play(target, nowhen, a_view(1, FRIDAY_MS), huge, unnamed)
    assert (summary.touchpoints, summary.first_ms) == (1, FRIDAY_MS)
    assert summary.whole.refused == {"time_out_of_range": 1, "too_large": 1, "no_name": 1}
    letter = written(target, "dead-letters", 1)[0][0]
    assert isinstance(letter, DeadLetter)
    assert letter.value == repr(nowhen.touchpoint).encode()


def test_files_that_are_read_as_one_have_an_account_each(target: Target) -> None:
    cut = MappedTouchpoint(
        a_view(1, FRIDAY_MS).touchpoint, 3, (Origin("first", 9, b"a\n", 1), Origin("third", 2, b"b\nc\n", 2))
    )
    early = MappedTouchpoint(
        a_view(2, FRIDAY_MS - DAY_MS).touchpoint, 2, (Origin("first", 4, b"d\n", 1), Origin("third", 4, b"e\n", 1))
    )
    refusal = RefusedLines(Reason.BAD_TIME, "no time", 5, b"f\n", 1, "third")
    source = Source("first", [cut, early, refusal], ("second", "third"))
    with a_worker(target):
        summary = replay([source], target, ReplayOptions(silent_seconds=20.0))
    assert {name: (file.in_others, dict(file.refused)) for name, file in summary.files.items()} == {
        "first": (1, {"out_of_order": 1}),
        "second": (0, {}),
        "third": (2, {"out_of_order": 1, "bad_time": 1}),
    }
    assert (summary.touchpoints, summary.lines, summary.dead_letters) == (1, 6, 3)
    letters = [letter for letter in written(target, "dead-letters", 1)[0] if isinstance(letter, DeadLetter)]
    assert [(letter.source_topic, letter.source_offset, letter.value) for letter in letters] == [
        ("first", 4, b"d\n"),
        ("third", 4, b"e\n"),
        ("third", 5, b"f\n"),
    ]


@pytest.mark.parametrize(
    ("stages", "silent"), [(("none",), "collect"), (("collect",), "profiles"), (("collect", "profiles"), "insights")]
)
def test_the_first_stage_that_does_not_follow_is_named(target: Target, stages: tuple[str, ...], silent: str) -> None:
    with a_worker(target, *stages), pytest.raises(SilentStage, match="silent for 5 s") as silence:
        play(target, a_view(1, FRIDAY_MS), silent_seconds=5.0)
    assert silence.value.stage == silent


def test_without_a_worker_the_replay_says_so(target: Target) -> None:
    with pytest.raises(SilentStage, match="no worker is in the group") as silence:
        play(target, a_view(1, FRIDAY_MS), silent_seconds=1.0)
    assert silence.value.stage == "worker"


def test_a_prefix_that_has_come_further_takes_no_earlier_touchpoints(target: Target) -> None:
    with a_worker(target):
        play(target, a_view(1, FRIDAY_MS))
        with pytest.raises(ReplayError, match="its time is already 2011-01-15"):
            play(target, a_view(2, FRIDAY_MS))


def test_a_later_replay_says_how_far_earlier_ones_came(target: Target) -> None:
    with a_worker(target):
        first, later = (
            replay([Source("a file", [a_view(1, time_ms)])], target, ReplayOptions(drain_ms=HOUR_MS))
            for time_ms in (FRIDAY_MS, FRIDAY_MS + 2 * HOUR_MS)
        )
    assert first.end_ms == FRIDAY_MS + HOUR_MS
    assert (first.continued_ms, later.continued_ms) == (None, first.end_ms)


def test_a_prefix_with_a_wall_clock_takes_no_replay() -> None:
    target = Target({}, "p", DomainSettings.model_validate({"clock": "wall"}))
    with pytest.raises(ReplayError, match="'wall'"):
        play(target, a_view(1, FRIDAY_MS))


def test_an_interrupt_keeps_what_was_sent(target: Target) -> None:
    def interrupted() -> Iterator[Mapped]:
        yield a_view(1, FRIDAY_MS)
        raise KeyboardInterrupt

    summary = replay([Source("a file", interrupted())], target)
    assert summary.interrupted
    records = [record for partition in written(target, "touchpoints", 3) for record in partition]
    assert sum(isinstance(record, Touchpoint) for record in records) == 1
