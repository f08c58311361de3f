"""When the workers as a whole worked again, as a subscriber sees it."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

from schemas.insights import Facts
from schemas.wire import SINGLE_OBJECT
from streams.kafka.config import reader_config

if TYPE_CHECKING:
    from tests.support.running import Place

_POLL_SECONDS = 0.1


class Seen(NamedTuple):
    """A committed record: when it was made, and when a subscriber had it."""

    made_s: float
    came_s: float


class Watch:
    """Reads journal and facts, committed, in the background.

    With as many input partitions as journal partitions a customer has the same number in both: so a touchpoint in
    journal partition p says that input partition p is collected, and facts of p that it is folded.
    """

    def __init__(self, place: Place) -> None:
        count = place.domain.journal_partitions
        assert count == place.domain.touchpoint_partitions
        self._seen: dict[tuple[str, int], list[Seen]] = {
            (what, number): [] for what in ("collect", "fold") for number in range(count)
        }
        self._facts = place.topics.facts
        config = {**reader_config(place.settings.brokers, {}), "auto.offset.reset": "earliest"}
        self._consumer = Consumer({**config, "fetch.wait.max.ms": 100, "log_level": 0})
        places = [(self._facts, 0), *((place.topics.journal, number) for number in range(count))]
        self._consumer.assign([TopicPartition(*each, 0) for each in places])
        self._quit = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def works_since(self, at_s: float) -> bool:
        """Whether every partition has committed what began after that time (of `time.time`)."""
        return not self.silent_since(at_s)

    def silent_since(self, at_s: float) -> list[tuple[str, int]]:
        """The partitions that have not."""
        return [what for what, seen in self._seen.items() if not seen or seen[-1].made_s <= at_s]

    def worked_at(self, since_s: float) -> float:
        """When the last of them had; `works_since` must hold."""
        return max(next(each.came_s for each in seen if each.made_s > since_s) for seen in self._seen.values())

    def close(self) -> None:
        self._quit.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._quit.is_set():
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None and message.error() is None:
                self._note(message)

    def _note(self, message: Message) -> None:
        number, came_s = message.partition() or 0, time.time()
        if message.topic() == self._facts:
            record = SINGLE_OBJECT.decode(message.value() or b"")
            if not isinstance(record, Facts) or not record.counts:
                return
            what = "fold", record.partition
        elif message.headers():
            what = "collect", number
        else:
            return
        seen = self._seen[what]
        # what is committed later was begun at the record's own time, and that of forwarded ones varies
        made_s = max(message.timestamp()[1] / 1_000, seen[-1].made_s if seen else 0.0)
        seen.append(Seen(made_s, came_s))
