"""The pace of an import: one part after the other, and rest in between, so that what comes in today goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from streams.kafka.config import PATIENT_SECONDS, reader_config
from streams.kafka.ends import end_offsets
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from streams.operations.prefix import Prefix

SILENT_SECONDS = 60.0
"""After so long without any progress of the workers the import gives up."""
SHARE = 25.0
"""Percent of the workers' time that an import takes; for the rest of it they are left alone after each part."""
_POLL_SECONDS = 0.02
_FACTS_BEHIND_MAX = 100
"""Records of facts that may wait: KPIs are no part of a message's way."""


class WorkersSilent(Exception):
    """The workers do not take what the import writes; the message says what to do."""


class Pace:
    """A look at what the workers have committed; it joins no group. Use it in a `with`."""

    def __init__(self, prefix: Prefix, share: float = SHARE, silent_seconds: float = SILENT_SECONDS) -> None:
        """`share`: percent of the workers' time that the import takes."""
        self._rest = 100.0 / share - 1.0
        settings, topics = prefix.settings, Topics(prefix.settings.prefix)
        self._consumer = Consumer(reader_config(settings.brokers, settings.kafka, settings.prefix))
        # ends include open transactions
        self._asking = Consumer(
            {**reader_config(settings.brokers, settings.kafka), "isolation.level": "read_uncommitted"}
        )
        self._journal = [(topics.journal, number) for number in range(prefix.domain.journal_partitions)]
        self._facts = (topics.facts, 0)
        self._name = settings.prefix
        self._silent_seconds = silent_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._asking.close()

    def wait(self, meanwhile: Callable[[], None]) -> None:
        """Return when the workers have folded all that is in the journal now, and have rested.

        Raises:
            WorkersSilent: they commit nothing.
            KafkaException: no broker answers.
        """
        began = time.monotonic()
        ends = end_offsets(self._asking, [*self._journal, self._facts])
        ends[self._facts] -= _FACTS_BEHIND_MAX
        before, moved_at = -1, began
        while True:
            places = [TopicPartition(*place) for place in ends]
            found = self._consumer.committed(places, timeout=PATIENT_SECONDS)
            committed = {(each.topic, each.partition): each.offset for each in found}
            # the last offset is that of a transaction's marker, which is no record
            if all(committed[place] >= end - 1 for place, end in ends.items()):
                break
            now, reached = time.monotonic(), sum(committed.values())
            if reached > before:
                before, moved_at = reached, now
            elif now - moved_at > self._silent_seconds:
                raise WorkersSilent(
                    f"prefix {self._name}: the workers committed nothing for {self._silent_seconds:.0f} s; "
                    "look at their logs, then run the same command again: it goes on where it was"
                )
            meanwhile()
            time.sleep(_POLL_SECONDS)
        meanwhile()
        time.sleep(self._rest * (time.monotonic() - began))
