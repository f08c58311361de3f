"""Topics of one journal partition in memory, as a worker would have written them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import TIMESTAMP_CREATE_TIME

from schemas import wire
from schemas.insights import Count, Facts
from schemas.journal import RULES, Configured
from schemas.wire import SINGLE_OBJECT
from streams.fold.record import AGAIN, journal_headers
from streams.offline.journal import side_by_side
from streams.offline.refold import COMPARED
from streams.profiles.effects import TOPIC_OF
from tests.support.world import START_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.fold.record import Record


@dataclass(frozen=True, slots=True)
class Kept:
    """What is asked of a Kafka message."""

    kept_key: bytes | None
    kept_value: bytes | None
    kept_headers: tuple[tuple[str, bytes | None], ...] = ()

    kept_offset: int = 0
    kept_partition: int = 0
    kept_timestamp: tuple[int, int] = (TIMESTAMP_CREATE_TIME, START_MS)
    kept_topic: str = "memory.journal"

    def topic(self) -> str:
        return self.kept_topic

    def partition(self) -> int:
        return self.kept_partition

    def timestamp(self) -> tuple[int, int]:
        return self.kept_timestamp

    def offset(self) -> int:
        return self.kept_offset

    def key(self) -> bytes | None:
        return self.kept_key

    def value(self) -> bytes | None:
        return self.kept_value

    def headers(self) -> tuple[tuple[str, bytes | None], ...] | None:
        return self.kept_headers or None


@dataclass(frozen=True, slots=True)
class KeptJournal:
    """What a backtest reads."""

    kept: list[Kept]

    def records(self, starts: Mapping[int, int]) -> Iterator[Any]:
        numbers = sorted({record.partition() for record in self.kept})
        return side_by_side({number: self._own(number, starts.get(number, 0)) for number in numbers}, SINGLE_OBJECT)

    def _own(self, partition: int, start: int) -> Iterator[Any]:
        return (record for record in self.kept if record.partition() == partition and record.offset() >= start)


class KeptWorld(World):
    """A world that remembers its journal."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.configured = Configured(self.settings.model_dump_json(), 0, RULES)
        self.journal = [Kept(None, wire.encode(self.configured))]
        fold = self.fold
        last: Record | None = None

        def recorded(record: Record) -> Any:
            nonlocal last
            if record is last:
                return fold(record)  # tried once more
            last = record
            headers = journal_headers(record.received_ms, record.hops) if record.received_ms else ()
            headers += ((AGAIN, b""),) if record.is_again else ()
            self.journal.append(Kept(record.key.encode() or None, record.raw, headers, len(self.journal)))
            return fold(record)

        self.partition.fold = recorded  # type: ignore[assignment]

    def topics(self) -> dict[str, list[Kept]]:
        """Every topic by name, of the outputs so far."""
        topics: dict[str, list[Kept]] = {name: [] for name in COMPARED}
        for customer, record in self.outputs:
            name = "profiles" if record is None else TOPIC_OF.get(type(record))
            if name in topics:
                value = None if record is None else wire.encode(record)
                topics[name].append(Kept(customer.encode(), value))
        counts = tuple(Count(*name, value) for name, value in self.counts.items())
        half = len(counts) // 2
        # as two commits would tell them
        told = (Facts(0, 0, counts[:half]), Facts(0, 0, counts[half:], tuple(self.panel)))
        facts = [Kept(b"0", wire.encode(each)) for each in (self.configured, *told)]
        return {**topics, "facts": facts, "journal": list(self.journal), "dead_letters": []}


@dataclass(frozen=True, slots=True)
class KeptTopics:
    """Records of a prefix with one journal partition."""

    topics: dict[str, list[Kept]]

    def read(self, topic: str, partition: int, start: int = 0) -> Iterator[Any]:
        assert partition == 0
        return (record for record in self.topics[topic] if topic != "journal" or record.offset() >= start)
