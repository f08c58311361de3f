"""Copy of a journal into a new prefix with more partitions, where it folds to the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.insights.state import CLOCK, SETTINGS, Clock, InsightCodec, Settings
from streams.kafka.config import PATIENT_SECONDS
from streams.kafka.headers import headers_of
from streams.kafka.journal import APPENDED, COPIED, appended_ms
from streams.kafka.partitioner import partition_of_key
from streams.kafka.publisher import Publisher, in_chunks
from streams.kafka.reader import last_committed, read_committed
from streams.kafka.topics import message_limits, partition_counts
from streams.offline.marks import Letters, folded, read_mark
from streams.operations.create import BROKERS_DEFAULT, Published, make_topics, publish
from streams.operations.dead_letters import Wanted, read_letters
from streams.settings import parse_domain
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from confluent_kafka import Message

    from streams.offline.marks import Aside
    from streams.operations.prefix import Prefix
    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings

_RECORDS_MAX = 5_000
"""Records in one transaction."""
_LONG_BYTES = 8


class CannotRepartition(Exception):
    """It cannot be done now; the message says why and what to do."""


class _Record(NamedTuple):
    """A record to copy, and the partitions to copy it into."""

    offset: int
    parts: Iterable[int]
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Copied(msgspec.Struct, frozen=True):
    """What this call wrote; an interrupted earlier call may have written more."""

    journal: int
    dead_letters: int


def repartition(
    source: Prefix, target: WorkerSettings, partitions: int, on_partition: Callable[[int], None] = lambda _: None
) -> Copied:
    """Copy the journal of a prefix at rest into that of `target`; may be killed, and repeated until it returns.

    Each new partition holds, in order, a subset of one old partition's customers and every record without a customer.
    So every record is folded into the same state as before.

    Raises:
        CannotRepartition: the number of partitions does not fit, workers run, or `target` is in use.
        SettingsError: a prefix may not have that many partitions.
        WrongTopics: `target` has topics with another number of partitions.
    """
    before = source.domain.journal_partitions
    if partitions <= before or partitions % before:
        raise CannotRepartition(
            f"{partitions} partitions: use a multiple of the present {before}, such as {2 * before} or {3 * before}"
        )
    _check_rest(source)
    domain = parse_domain(source.domain.model_copy(update={"journal_partitions": partitions}).model_dump_json())
    make_topics(target, domain, BROKERS_DEFAULT, _limits(source, target))
    publisher = Publisher(target, "repartition")
    letters = Letters(source.read("dead_letters", 0), source.wire)
    journal = 0
    for number in range(before):
        parts = range(number, partitions, before)
        left_out = letters.left_out(number, source.read("journal", number))
        journal += _copy(publisher, target, "journal", parts, _records(source, number, parts, left_out))
        on_partition(number)
    _copy_insights(publisher, source, target, domain)
    dead_letters = _copy(publisher, target, "dead_letters", range(1), _letters(source, target, partitions))
    publish(target, Published(domain, source.rules, source.tzdata))
    return Copied(journal, dead_letters)


def _limits(source: Prefix, target: WorkerSettings) -> dict[str, int]:
    """Return how large records may be in the topics of `target`, where those of the source may be as large."""
    before, after = Topics(source.settings.prefix).all(), Topics(target.prefix).all()
    there = message_limits(source.settings.brokers, before, source.settings.kafka)
    return {name: there[old] for old, name in zip(before, after, strict=True) if old in there}


def _copy(publisher: Publisher, target: WorkerSettings, topic: str, parts: range, records: Iterable[_Record]) -> int:
    """Send what an interrupted call did not; the header of a copy holds the record's original offset."""
    name = getattr(Topics(target.prefix), topic)
    reached = {number: _reached(target, name, number) for number in parts}
    count = 0
    for chunk in in_chunks(records, lambda record: len(record.value or b""), _RECORDS_MAX):
        if publisher.renew():
            # another repartition may have come in between
            reached = {number: _reached(target, name, number) for number in parts}
        with publisher.transaction():
            for record in chunk:
                headers = [*record.headers, (COPIED, record.offset.to_bytes(_LONG_BYTES, "big"))]
                for number in record.parts:
                    if record.offset > reached[number]:
                        publisher.send(name, number, record.key, record.value, headers)
                        count += 1
    return count


def _records(source: Prefix, number: int, parts: range, left_out: Aside) -> Iterator[_Record]:
    """Yield the folded records of a journal partition and where they go; records without a customer go everywhere."""
    for message in folded(source.read("journal", number), left_out):
        offset, key = message.offset() or 0, message.key()
        to: Iterable[int] = parts
        if key is not None:
            of_key = partition_of_key(key, parts.stop)
            # a record in a partition where it does not belong is folded there all the same
            to = (of_key if of_key in parts else parts.start,)
        mark = read_mark(message, source.wire)
        value = message.value() if mark is None else source.wire.encode(msgspec.structs.replace(mark, offset=-1))
        yield _Record(offset, to, key, value, _headers(message))


def _headers(message: Message) -> list[tuple[str, bytes]]:
    """Return the headers of the copy, with the time at which the first original was appended."""
    headers = [(name, value or b"") for name, value in headers_of(message) if name != COPIED]
    stamped_ms = appended_ms(message)
    if stamped_ms and APPENDED not in dict(headers):
        headers.append((APPENDED, stamped_ms.to_bytes(_LONG_BYTES, "big")))
    return headers


def _letters(source: Prefix, target: WorkerSettings, partitions: int) -> Iterator[_Record]:
    """Yield letters that were not retried, with their source as the new prefix names it: there they can be retried."""
    here, there = Topics(source.settings.prefix), Topics(target.prefix)
    for letter in read_letters(source, Wanted()):
        held = letter.held
        if letter.retried_ms is not None:
            continue
        if held.source_topic == here.touchpoints:
            held = msgspec.structs.replace(held, source_topic=there.touchpoints)
        elif held.source_topic == here.journal and held.key is not None:
            number = partition_of_key(held.key, partitions)
            held = msgspec.structs.replace(held, source_topic=there.journal, source_partition=number)
        yield _Record(letter.position, (0,), held.key, source.wire.encode(held), [])


def _copy_insights(publisher: Publisher, source: Prefix, target: WorkerSettings, domain: DomainSettings) -> None:
    """Copy the state of insights: each new partition has come as far as the old one that it is a part of."""
    codec, held = InsightCodec(), dict[bytes, bytes]()
    for message in source.read("insights_changelog", 0):
        key, value = message.key() or b"", message.value()
        held.pop(key, None)
        if value is not None:
            held[key] = value
    settings = codec.decode(SETTINGS, held[SETTINGS]) if SETTINGS in held else None
    if isinstance(settings, Settings):
        text = domain.model_dump_json()
        held[SETTINGS] = codec.encode(SETTINGS, msgspec.structs.replace(settings, text=text))
    times = domain.journal_partitions // source.domain.journal_partitions
    clock = codec.decode(CLOCK, held[CLOCK]) if CLOCK in held else None
    if isinstance(clock, Clock):
        spoken, complete = clock.spoken_ms * times, clock.complete_ms * times
        held[CLOCK] = codec.encode(CLOCK, msgspec.structs.replace(clock, spoken_ms=spoken, complete_ms=complete))
    topics = Topics(target.prefix)
    # a worker refuses state without its offset
    start = ConsumerGroupTopicPartitions(target.prefix, [TopicPartition(topics.facts, 0, 0)])
    admin = AdminClient({**target.kafka, "bootstrap.servers": target.brokers})
    for answer in admin.alter_consumer_group_offsets([start], request_timeout=PATIENT_SECONDS).values():
        answer.result()
    publisher.renew()
    with publisher.transaction():
        for key, value in held.items():
            publisher.send(topics.insights_changelog, 0, key, value)


def _reached(target: WorkerSettings, topic: str, number: int) -> int:
    """Return the offset of the last record copied into a partition; -1 before the first.

    Raises:
        CannotRepartition: the last record is not a copy.
    """
    last = last_committed(target.brokers, topic, number, target.kafka)
    if last is None:
        return -1
    copied = dict(headers_of(last)).get(COPIED)
    if copied is None:
        raise CannotRepartition(
            f"prefix {target.prefix} is in use, or was finished before: {topic} holds records that are not copies"
        )
    return int.from_bytes(copied, "big")


def _check_rest(source: Prefix) -> None:
    """Check that everything collected is folded and that no worker runs."""
    settings, topics = source.settings, Topics(source.settings.prefix)
    members = source.members()
    if members:
        raise CannotRepartition(
            f"{members} workers of prefix {settings.prefix} are running: let them finish all records, then stop them"
        )
    counts = partition_counts(settings.brokers, settings.kafka)
    places = [
        TopicPartition(topic, number)
        for topic in (topics.touchpoints, topics.journal, topics.facts)
        for number in range(counts[topic])
    ]
    for place, offset in zip(places, source.committed(places), strict=True):
        start = {place.partition: offset}
        if next(read_committed(settings.brokers, place.topic, settings.kafka, [place.partition], start), None):
            raise CannotRepartition(
                f"{place.topic}-{place.partition} has unprocessed records from offset {offset} on: "
                "start the workers, let them finish, then stop them"
            )
