"""A prefix on Kafka, open for reading: its settings, its wire format, its topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.journal import RULES
from schemas.wire import SINGLE_OBJECT
from streams.kafka.config import PATIENT_SECONDS, reader_config
from streams.kafka.reader import last_committed, read_committed
from streams.operations.create import read_published
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Message

    from schemas.wire import Wire
    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix to read; it reads committed records only and joins no group."""

    settings: WorkerSettings
    domain: DomainSettings
    wire: Wire
    rules: int = RULES
    """Number of the rules that the settings published last name."""
    tzdata: str = ""
    """Version of the time zones that they name; empty: none."""

    def read(self, topic: str, partition: int, start: int = 0) -> Iterator[Message]:
        """Yield records of one partition from an offset to its present end; `topic` is a name of `streams.topics`."""
        name, begin = getattr(Topics(self.settings.prefix), topic), {partition: start} if start else None
        return read_committed(self.settings.brokers, name, self.settings.kafka, [partition], begin)

    def last(self, topic: str, partition: int) -> Message | None:
        """Return the last record of one partition; None: there is none."""
        name = getattr(Topics(self.settings.prefix), topic)
        return last_committed(self.settings.brokers, name, partition, self.settings.kafka)

    def committed(self, places: Sequence[TopicPartition]) -> list[int]:
        """Return the offsets that workers have committed, in the order of `places`; 0 before the first commit."""
        # of the workers' group, without joining it; the answer waits for open transactions
        consumer = Consumer(reader_config(self.settings.brokers, self.settings.kafka, self.settings.prefix))
        try:
            return [max(place.offset, 0) for place in consumer.committed(list(places), timeout=PATIENT_SECONDS)]
        finally:
            consumer.close()

    def folded_to(self) -> tuple[int, ...]:
        """Return by journal partition the offset that workers have committed."""
        journal = Topics(self.settings.prefix).journal
        return tuple(self.committed([TopicPartition(journal, n) for n in range(self.domain.journal_partitions)]))

    def members(self) -> int:
        """Return how many workers are in the group."""
        name = self.settings.prefix
        admin = AdminClient({**self.settings.kafka, "bootstrap.servers": self.settings.brokers})
        asked = admin.describe_consumer_groups([name], request_timeout=PATIENT_SECONDS)
        return len(asked[name].result().members)


def earlier_rules(prefix: Prefix) -> str:
    """Return, as one sentence, what to do before a command that needs the rules of this release."""
    return (
        f"prefix {prefix.settings.prefix}: its rules are those of an earlier release: update all workers, then run "
        "`touchstream topics create` with your settings, and then this command"
    )


def open_prefix(settings: WorkerSettings) -> Prefix:
    """Open the prefix that the settings name, with the wire format of its workers.

    Raises:
        NotCreated: it has no topics, or no settings in them.
        RegistryUnusable: the registry does not answer, or its client is not installed.
    """
    published = read_published(settings)
    wire = SINGLE_OBJECT
    if settings.registry_url:
        from streams.kafka.registry import registry_wire  # noqa: PLC0415 - slow to import, and an extra

        wire = registry_wire(settings.registry_url, Topics(settings.prefix))
    return Prefix(settings, published.domain, wire, published.rules, published.tzdata)
