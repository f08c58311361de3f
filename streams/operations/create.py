"""A prefix is made: its topics, and the settings that decide as the first record of each partition."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from schemas.catalogue import raw_schema, released_schemas, single_object_header
from schemas.journal import Configured
from schemas.wire import SINGLE_OBJECT
from streams.flows.language.publishing import standing_as
from streams.kafka.publisher import Publisher
from streams.kafka.reader import read_committed
from streams.kafka.topics import create_topics, partition_counts
from streams.settings import parse_domain
from streams.topics import Topics, specs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from streams.settings import DomainSettings, WorkerSettings

BROKERS_DEFAULT = -1
"""As a replication factor: the brokers' default.replication.factor."""
_FIXED_FOR_LIFE = ("clock", "touchpoint_partitions", "journal_partitions")
_KEY = b"domain"
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001 - its name
_HEADERS = tuple(single_object_header(schema) for schema in [*released_schemas("configured"), raw_schema("configured")])


class NotCreated(Exception):
    """A prefix without topics or settings; the message says which command makes them."""


class CannotChange(Exception):
    """A setting that is fixed for the life of a prefix; the message names it and both values."""


class PublishedMeanwhile(Exception):
    """Another command began to publish while this one did; nothing of this one's is written."""


@dataclass(frozen=True, slots=True)
class Created:
    """What was done: names of the topics made, whether settings were published, and those that hold now."""

    topics: tuple[str, ...]
    configured: bool
    domain: DomainSettings


def create_prefix(
    settings: WorkerSettings, domain: DomainSettings, replication: int = BROKERS_DEFAULT, *, keeps_flows: bool = False
) -> Created:
    """Makes missing topics and publishes `domain` where it differs from what was published last; may be repeated.

    With `keeps_flows` the flows stay as they stand, where some were published.

    Raises:
        CannotChange: another clock or number of partitions than the prefix has.
        WrongTopics: a topic cannot be made, or is there with another number of partitions.
        PublishedMeanwhile: run it again.
        KafkaException: no broker answers, or the records were not taken.
    """
    _in_force(settings, domain)
    made = make_topics(settings, domain, replication)
    # from here on nobody else publishes; somebody may have since the look before
    publisher, now_ms = _publisher(settings), _now_ms()
    published = _in_force(settings, domain)
    if keeps_flows and published is not None:
        domain = domain.model_copy(update={"flows": published.flows, "flow_states": published.flow_states})
    else:
        domain = standing_as(published, domain, now_ms)
    is_new = published != domain or Topics(settings.prefix).settings in made
    if is_new:
        _publish(publisher, settings.prefix, domain, now_ms)
    return Created(tuple(made), is_new, domain)


def make_topics(settings: WorkerSettings, domain: DomainSettings, replication: int = BROKERS_DEFAULT) -> list[str]:
    """Makes those that are missing; their names. WrongTopics as `create_prefix`."""
    wanted = [replace(spec, replication=replication) for spec in specs(settings.prefix, domain)]
    return create_topics(settings.brokers, wanted, settings.kafka)


def read_domain(settings: WorkerSettings) -> DomainSettings:
    """The settings published last.

    Raises:
        NotCreated: the prefix has no topics, or no settings in them.
        KafkaException: no broker answers.
    """
    counts = partition_counts(settings.brokers, settings.kafka)
    published = _published(settings, counts)
    if published is None:
        raise NotCreated(
            f"prefix {settings.prefix} has no topics or no settings at {settings.brokers}: "
            f"make them with `touchstream topics create --prefix {settings.prefix}`"
            + (", or allow this user to see them (`touchstream topics acls`)" if settings.kafka else "")
        )
    journal = Topics(settings.prefix).journal
    count = counts.get(journal)
    if count is None:
        raise NotCreated(
            f"topic {journal} is missing: make it with `touchstream topics create --prefix {settings.prefix}`;"
            " what it held is lost"
        )
    if count != published.journal_partitions:
        raise NotCreated(
            f"topic {journal} has {count} partitions, its settings say {published.journal_partitions}: "
            "`touchstream repartition` has not finished; run it again"
        )
    return published


def _published(settings: WorkerSettings, there: Collection[str]) -> DomainSettings | None:
    topics = Topics(settings.prefix)
    # a prefix made by 0.1 has them in its journal only, which may be long
    for topic in (topics.settings, topics.journal):
        last = _last_published(settings, topic) if topic in there else None
        if last is not None:
            return parse_domain(SINGLE_OBJECT.decode_as(Configured, last).settings)
    return None


def _in_force(settings: WorkerSettings, wanted: DomainSettings) -> DomainSettings | None:
    published = _published(settings, partition_counts(settings.brokers, settings.kafka))
    if published is not None:
        _check_fixed(settings.prefix, published, wanted)
    return published


def _last_published(settings: WorkerSettings, topic: str) -> bytes | None:
    last = None
    for message in read_committed(settings.brokers, topic, settings.kafka, partitions=[0]):
        value = message.value()
        if value is not None and value.startswith(_HEADERS):
            last = value
    return last


def _check_fixed(prefix: str, published: DomainSettings, wanted: DomainSettings) -> None:
    for name in _FIXED_FOR_LIFE:
        before, after = getattr(published, name), getattr(wanted, name)
        if before != after:
            raise CannotChange(
                f"prefix {prefix}: {name} is {before!r} and cannot become {after!r}; "
                "it is fixed for the life of a prefix: use another prefix"
            )


def change_settings(
    settings: WorkerSettings, changed: Callable[[DomainSettings, int], DomainSettings]
) -> tuple[DomainSettings, DomainSettings]:
    """Publishes what `changed` makes of the settings in force and the time; those before and after, which may be equal.

    Raises:
        NotCreated: as `read_domain`.
        PublishedMeanwhile: run it again.
    """
    publisher, now_ms = _publisher(settings), _now_ms()
    before = read_domain(settings)
    after = changed(before, now_ms)
    if after != before:
        _publish(publisher, settings.prefix, after, now_ms)
    return before, after


def publish(settings: WorkerSettings, domain: DomainSettings) -> None:
    """Publishes the settings whatever is in force. PublishedMeanwhile: run it again."""
    _publish(_publisher(settings), settings.prefix, domain, _now_ms())


def _now_ms() -> int:
    return int(time.time() * 1000)


def _publisher(settings: WorkerSettings) -> Publisher:
    """To be made before the settings in force are read: of two at once it fences the earlier, who then writes nothing.

    So none overwrites what it has not read. Without transactions nothing keeps two apart.
    """
    return Publisher(settings, "topics-create")


def _publish(publisher: Publisher, prefix: str, domain: DomainSettings, now_ms: int) -> None:
    """One record in each journal partition, in facts and in settings, all or none; read without a registry."""
    topics = Topics(prefix)
    value = SINGLE_OBJECT.encode(Configured(domain.model_dump_json(), now_ms))
    try:
        with publisher.transaction():
            for partition in range(domain.journal_partitions):
                publisher.send(topics.journal, partition, None, value)
            publisher.send(topics.facts, 0, None, value)
            publisher.send(topics.settings, 0, _KEY, value)
    except KafkaException as error:
        if error.args[0].code() not in _FENCED:
            raise
        raise PublishedMeanwhile(
            f"prefix {prefix}: another command began to publish settings at the same time; nothing was written: "
            "see what it did (`touchstream flows list`), and run this one again"
        ) from None
