"""Waiting for the workers at a tick; if they do not come, the error says which stage is silent."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.insights import Facts
from schemas.journal import CollectedTo, ModelTick, Wake
from schemas.units import iso_time
from schemas.wire import WireError
from streams.kafka.config import ANSWER_SECONDS
from streams.kafka.watermarks import watermarks

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from streams.replay.target import Target

SILENT_SECONDS = 60.0
_POLL_SECONDS = 0.2
_TAIL_RECORDS = 200
_SINGLE_OBJECT = b"\xc3\x01"


class SilentStage(RuntimeError):
    """No stage moved for a minute; `stage` is the first that is behind: worker, collect, profiles or insights."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class Barrier:
    """A follower of committed records of the journal and the facts, from their ends at `arm`."""

    def __init__(self, target: Target, silent_seconds: float = SILENT_SECONDS) -> None:
        # the workers' own group, which it never joins: its committed offsets are needed
        self._consumer = Consumer(
            {
                **target.kafka,
                "group.id": target.prefix,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
                # other requests wait while a fetch waits
                "fetch.wait.max.ms": 50,
            }
        )
        self._kafka = dict(target.kafka)
        self._group = target.prefix
        self._inputs = range(target.domain.touchpoint_partitions)
        self._partitions = range(target.domain.journal_partitions)
        self._journal = target.topics.journal
        self._facts = target.topics.facts
        self._wire = target.wire
        self._silent_seconds = silent_seconds
        self._kinds: dict[bytes, type | None] = {}
        self._ticked: dict[int, int] = {}
        self._collected: dict[int, int] = {}
        self._complete: dict[int, int] = {}
        self._facts_end = 0

    def close(self) -> None:
        self._consumer.close()

    def reached_ms(self) -> int | None:
        """Return the time that an earlier replay reached in this prefix; None if nothing was folded yet."""
        low, high = watermarks(self._consumer, (self._facts, 0))
        self._consumer.assign([TopicPartition(self._facts, 0, max(low, high - _TAIL_RECORDS))])
        # after the last committed record there are only control records: an empty poll ends it
        while high > low and (message := self._consumer.poll(1.0)) is not None:
            self._note(message)
        return max(self._complete.values(), default=None)

    def arm(self) -> None:
        """Note the present ends; call it before writing the mark to wait for."""
        ends = []
        for topic, partitions in ((self._journal, self._partitions), (self._facts, range(1))):
            for partition in partitions:
                place = TopicPartition(topic, partition)
                _, place.offset = watermarks(self._consumer, (topic, partition))
                ends.append(place)
        self._consumer.assign(ends)

    def wait_for_tick(self, tick_ms: int, meanwhile: Callable[[], None]) -> None:
        """Return when every journal partition holds the ModelTick of that time; raises SilentStage."""
        self._wait(lambda: self._all(self._ticked, self._partitions, tick_ms), tick_ms, meanwhile)

    def wait_for_fold(self, time_ms: int, meanwhile: Callable[[], None]) -> None:
        """Return when every journal partition is folded up to that time; raises SilentStage."""
        self._wait(lambda: self._all(self._complete, self._partitions, time_ms), time_ms, meanwhile)

    def wait_for_end(self, end_ms: int, meanwhile: Callable[[], None]) -> None:
        """Return when all is folded up to that time and insights has read it; raises SilentStage."""
        self._wait(lambda: self._all(self._complete, self._partitions, end_ms), end_ms, meanwhile)
        self._wait(self._insights_has_read, end_ms, meanwhile)

    def _wait(self, done: Callable[[], bool], time_ms: int, meanwhile: Callable[[], None]) -> None:
        moved_at = time.monotonic()
        while not done():
            message = self._consumer.poll(_POLL_SECONDS)
            meanwhile()
            if message is not None and self._note(message):
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > self._silent_seconds:
                raise self._silence(time_ms)

    def _note(self, message: Message) -> bool:
        """Take in one record; return whether a stage moved forward."""
        value = message.value()
        if message.error() is not None or value is None:
            return False
        kind = self._kind_of(value)
        if kind is ModelTick:
            partition, tick_ms = message.partition(), self._wire.decode_as(ModelTick, value).time_ms
            return _raise_to(self._ticked, -1 if partition is None else partition, tick_ms)
        if kind is CollectedTo:
            spoken = self._wire.decode_as(CollectedTo, value).partitions
            risen = [each for each in spoken if _raise_to(self._collected, each.partition, each.time_ms)]
            return bool(risen)
        if kind is Facts:
            self._facts_end = (message.offset() or 0) + 1
            facts = self._wire.decode_as(Facts, value)
            risen_to = facts.complete_to_ms is not None and _raise_to(
                self._complete, facts.partition, facts.complete_to_ms
            )
            return risen_to or bool(facts.counts)
        return kind is not None and kind is not Wake

    def _kind_of(self, value: bytes) -> type | None:
        header = value[:10] if value[:2] == _SINGLE_OBJECT else value[:5]
        if header not in self._kinds:
            self._kinds[header] = None
            with suppress(WireError):
                self._kinds[header] = type(self._wire.decode(value))
        return self._kinds[header]

    def _all(self, reached: dict[int, int], partitions: range, time_ms: int) -> bool:
        return all(reached.get(partition, -(1 << 62)) >= time_ms for partition in partitions)

    def _insights_has_read(self) -> bool:
        committed = self._consumer.committed([TopicPartition(self._facts, 0)], timeout=ANSWER_SECONDS)
        return bool(committed[0].offset >= self._facts_end)

    def _silence(self, time_ms: int) -> SilentStage:
        at = iso_time(time_ms)
        if not self._workers():
            message = f"no worker is in the group {self._group}: start one with `touchstream worker`"
            return SilentStage("worker", message)
        for stage, reached, partitions, said in (
            ("collect", self._collected, self._inputs, "input partition"),
            ("profiles", self._complete, self._partitions, "journal partition"),
        ):
            behind = [each for each in partitions if not self._all(reached, range(each, each + 1), time_ms)]
            if behind:
                last = f"it is at {iso_time(reached[behind[0]])}" if behind[0] in reached else "nothing came from it"
                return self._said(stage, f"{said} {behind[0]} did not reach {at}: {last}")
        return self._said(
            "insights", f"every partition reached {at}, but the models or the offsets for that time did not come"
        )

    def _said(self, stage: str, detail: str) -> SilentStage:
        return SilentStage(stage, f"the stage {stage} has been silent for {self._silent_seconds:.0f} s: {detail}")

    def _workers(self) -> bool:
        # kept in a variable: a client that is garbage collected fails its requests
        admin = AdminClient(self._kafka)
        try:
            asked = admin.describe_consumer_groups([self._group], request_timeout=ANSWER_SECONDS)
            group = asked[self._group].result()
        except KafkaException:
            return False
        return bool(group.members) and group.state != ConsumerGroupState.DEAD


def _raise_to(reached: dict[int, int], partition: int, time_ms: int) -> bool:
    if time_ms <= reached.get(partition, -(1 << 62)):
        return False
    reached[partition] = time_ms
    return True
