"""The topics of a prefix, compared with what they have to be and with what they were when the worker started.

Outputs are placed by the settings' numbers of partitions, but producers, subscribers and the consumer group go by what
the brokers say. A topic that is made again under its name holds other records at the same offsets.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from streams.engine.errors import TopicMadeAgain, TopicsChanged
from streams.kafka.topics import WrongTopics, check_counts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from streams.engine.inputs import Input
    from streams.kafka.topology import TopicsAsker, TopicSeen

_log = structlog.get_logger(__name__)


class Topology:
    """Checks topics at the start, at each assignment and at intervals.

    `counts` are the topics with their numbers of partitions. Without them the inputs and their changelogs are checked,
    against each other and what they are at the start. `clock_s` only rises.
    """

    def __init__(
        self, inputs: Sequence[Input], counts: Mapping[str, int], asker: TopicsAsker, clock_s: Callable[[], float]
    ) -> None:
        self._inputs = inputs
        self._counts = dict(counts)
        self._asker = asker
        self._clock_s = clock_s
        self.asked_s: float | None = None
        """When the brokers last answered, by the clock; None: they have not been asked."""
        self._missing: set[str] = set()
        self._lock = asyncio.Lock()
        self.ids: dict[str, str] = {}
        """By topic, as at the start; empty where the brokers have no ids."""

    def begin(self) -> None:
        """Look for the first time; blocks.

        Raises:
            TopicsChanged: a topic is missing or has another number of partitions.
            KafkaException: no answer.
        """
        names = {source.topic for source in self._inputs}
        names |= {source.changelog for source in self._inputs if source.changelog is not None}
        seen = self._asker.ask(names | self._counts.keys())
        for source in self._inputs:
            count = seen[source.topic].partitions if source.topic in seen else 1
            wanted = self._counts.setdefault(source.topic, count)
            if source.changelog is not None:
                self._counts.setdefault(source.changelog, wanted)
        try:
            check_counts(self._counts, {name: topic.partitions for name, topic in seen.items()})
        except WrongTopics as wrong:
            raise TopicsChanged(str(wrong)) from None
        self.ids = {name: topic.id for name, topic in seen.items()}

    async def check(self, since_s: float | None = None) -> Mapping[str, str]:
        """Return the ids of the topics, by a new answer or one asked for since `since_s`, by the clock.

        Raises:
            TopicsChanged, TopicMadeAgain: a topic is no longer as it was.
            KafkaException: no answer.
        """
        async with self._lock:
            now_s = self._clock_s()
            if self.asked_s is None or since_s is None or self.asked_s < since_s:
                self._compare(await asyncio.to_thread(self._asker.ask, list(self._counts)))
                self.asked_s = now_s
        return self.ids

    async def watch(self, interval_ms: int, on_changed: Callable[[Exception], Awaitable[None]]) -> None:
        """Check at intervals, until something has changed."""
        while True:
            await asyncio.sleep(interval_ms / 1_000)
            try:
                await self.check()
            except (TopicsChanged, TopicMadeAgain) as changed:
                await on_changed(changed)
                return
            except Exception as error:  # noqa: BLE001 - asked again soon; a broker may be away
                _log.warning("topics unknown", error=str(error))

    def _compare(self, seen: Mapping[str, TopicSeen]) -> None:
        missing = {name for name in self._counts if name not in seen}
        # a broker that has just started may not know of a topic yet
        gone, self._missing = missing & self._missing, missing
        if gone:
            raise TopicsChanged(f"topic {min(gone)} has been deleted, though a worker uses it")
        for name, topic in seen.items():
            count = self._counts[name]
            if topic.partitions != count:
                raise TopicsChanged(
                    f"topic {name} has {topic.partitions} partitions instead of {count}. Their number is fixed once a"
                    " prefix is created; deploy/guide/running.md#when-topics-changed says how to go on"
                )
            before = self.ids.get(name, "")
            if before and topic.id and topic.id != before:
                raise TopicMadeAgain(f"topic {name} was deleted and made again: its id was {before} and is {topic.id}")
