"""Creation of a prefix: its topics, and the settings that decide as the first record of each partition."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from schemas.catalogue import raw_schema, released_schemas, single_object_header
from schemas.journal import RULES, Configured
from schemas.limits import SETTINGS_BYTES_MAX
from schemas.wire import SINGLE_OBJECT
from schemas.zones import TZDATA, release_of
from streams.flows.language.publishing import standing_as
from streams.kafka.publisher import Publisher
from streams.kafka.reader import read_committed
from streams.kafka.topics import alter_topics, create_topics, partition_counts
from streams.settings import parse_domain
from streams.topics import MESSAGE_BYTES, Topics, specs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings

BROKERS_DEFAULT = -1
"""A replication factor that means the brokers' default.replication.factor."""
_FIXED_FOR_LIFE = ("clock", "touchpoint_partitions", "journal_partitions")
_KEY = b"domain"
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001 - its name
_HEADERS = tuple(single_object_header(schema) for schema in [*released_schemas("configured"), raw_schema("configured")])


class NotCreated(Exception):
    """A prefix without topics or settings; the message says which command creates them."""


class CannotChange(Exception):
    """A setting that is fixed for the life of a prefix, or more settings than a record holds; the message says it."""


class PublishedMeanwhile(Exception):
    """Another command began to publish at the same time; this one wrote nothing."""


@dataclass(frozen=True, slots=True)
class Created:
    """The result: topics created and changed, whether settings were published, and the settings now valid.

    `named` are sources that were without a shop and have one now.
    """

    topics: tuple[str, ...]
    configured: bool
    domain: DomainSettings
    altered: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What the last record of settings says."""

    domain: DomainSettings
    rules: int
    tzdata: str = ""
    """Version of the time zones; empty: an earlier release published them."""


def create_prefix(
    settings: WorkerSettings, domain: DomainSettings, replication: int = BROKERS_DEFAULT, *, keeps_flows: bool = False
) -> Created:
    """Create missing topics, change others, and publish `domain` if it differs from what holds; may be repeated.

    With `keeps_flows` published flows stay as they are. Rules and time zones become those of this installation.

    Raises:
        CannotChange: the prefix has another clock, number of partitions, shop of a source, or newer time zones.
        WrongTopics: a topic cannot be created or changed, or exists with another number of partitions.
        PublishedMeanwhile: run it again.
        KafkaException: no broker answers, or the brokers refused the records.
    """
    _in_force(settings, domain)
    made = make_topics(settings, domain, replication)
    there = [spec for spec in specs(settings.prefix, domain) if spec.name not in made]
    altered = alter_topics(settings.brokers, there, settings.kafka) if there else []
    # from here on nobody else publishes; somebody may have done so since the check above
    publisher, now_ms = _publisher(settings), _now_ms()
    published = _in_force(settings, domain)
    before = published.domain if published is not None else None
    if keeps_flows and before is not None:
        domain = domain.model_copy(update={"flows": before.flows, "flow_states": before.flow_states})
    else:
        domain = standing_as(before, domain, now_ms)
    wanted = Published(domain, RULES, TZDATA)
    is_new = published != wanted or Topics(settings.prefix).settings in made
    if is_new:
        _publish(publisher, settings.prefix, wanted, now_ms)
    named = () if before is None else tuple(sorted(set(domain.shops) - set(before.shops)))
    return Created(tuple(made), is_new, domain, tuple(altered), named)


def make_topics(
    settings: WorkerSettings,
    domain: DomainSettings,
    replication: int = BROKERS_DEFAULT,
    limits: Mapping[str, int] | None = None,
) -> list[str]:
    """Create missing topics and return their names; `limits` are for names that hold larger records than ours.

    Raises:
        WrongTopics: as `create_prefix`.
    """
    wanted = [replace(spec, replication=replication) for spec in specs(settings.prefix, domain)]
    for at, spec in enumerate(wanted):
        larger = (limits or {}).get(spec.name, 0)
        if larger > int(spec.config[MESSAGE_BYTES]):
            wanted[at] = replace(spec, config={**spec.config, MESSAGE_BYTES: str(larger)})
    return create_topics(settings.brokers, wanted, settings.kafka)


def read_domain(settings: WorkerSettings) -> DomainSettings:
    """Return the settings published last. NotCreated, KafkaException: as `read_published`."""
    return read_published(settings).domain


def read_published(settings: WorkerSettings) -> Published:
    """Return the settings published last, and the number of their rules.

    Raises:
        NotCreated: the prefix has no topics, or no settings in them.
        KafkaException: no broker answers.
    """
    counts = partition_counts(settings.brokers, settings.kafka)
    published = _published(settings, counts)
    if published is None:
        raise NotCreated(
            f"prefix {settings.prefix} has no topics or no settings at {settings.brokers}: "
            f"create them with `touchstream topics create --prefix {settings.prefix}`"
            + (", or allow this user to see them (`touchstream topics acls`)" if settings.kafka else "")
        )
    topics = Topics(settings.prefix)
    journal = topics.journal
    count = counts.get(journal)
    if count is None:
        raise NotCreated(
            f"topic {journal} is missing: create it with `touchstream topics create --prefix {settings.prefix}`;"
            " the records it held are lost"
        )
    if count != published.domain.journal_partitions and not _is_finished(settings, counts):
        raise NotCreated(
            f"topic {journal} has {count} partitions, but its settings say {published.domain.journal_partitions}: "
            "`touchstream repartition` did not finish; run it again"
        )
    return published


def _is_finished(settings: WorkerSettings, there: Collection[str]) -> bool:
    """Return whether settings were published as a repartition does last; a worker says what became of topics since."""
    topic = Topics(settings.prefix).settings
    return topic in there and _last_published(settings, topic) is not None


def _published(settings: WorkerSettings, there: Collection[str]) -> Published | None:
    topics = Topics(settings.prefix)
    # a prefix of release 0.1 has them only in its journal, which may be long
    for topic in (topics.settings, topics.journal):
        last = _last_published(settings, topic) if topic in there else None
        if last is not None:
            configured = SINGLE_OBJECT.decode_as(Configured, last)
            return Published(parse_domain(configured.settings), configured.rules, configured.tzdata)
    return None


def _in_force(settings: WorkerSettings, wanted: DomainSettings) -> Published | None:
    published = _published(settings, partition_counts(settings.brokers, settings.kafka))
    if published is not None:
        _check_fixed(settings.prefix, published.domain, wanted)
        if release_of(published.tzdata) > release_of(TZDATA):
            raise CannotChange(
                f"prefix {settings.prefix}: its time zones are those of tzdata {published.tzdata}, and this has "
                f"{TZDATA}, which is older: install tzdata=={published.tzdata}"
            )
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
                f"prefix {prefix}: {name} is {before!r} and cannot become {after!r}, "
                "because it is fixed once a prefix is created; use another prefix"
            )
    for source, shop in published.shops.items():
        if wanted.shops.get(source) != shop:
            raise CannotChange(
                f"prefix {prefix}: the shop of source {source} is {shop!r} and cannot become "
                f"{wanted.shops.get(source)!r}, because refunds and repeats of its orders would match nothing. "
                "Have the orders of another shop sent under another source."
            )


def change_settings(
    settings: WorkerSettings, changed: Callable[[DomainSettings, int], DomainSettings]
) -> tuple[DomainSettings, DomainSettings]:
    """Publish what `changed` makes of the current settings and the time; return both, which may be equal.

    Raises:
        NotCreated: as `read_domain`.
        PublishedMeanwhile: run it again.
    """
    publisher, now_ms = _publisher(settings), _now_ms()
    published = read_published(settings)
    before = published.domain
    after = changed(before, now_ms)
    if after != before:
        # workers may be of the release that published the rules
        _publish(publisher, settings.prefix, replace(published, domain=after), now_ms)
    return before, after


def publish(settings: WorkerSettings, published: Published) -> None:
    """Publish settings and rules, whatever the current ones are. PublishedMeanwhile: run it again."""
    _publish(_publisher(settings), settings.prefix, published, _now_ms())


def _now_ms() -> int:
    return int(time.time() * 1000)


def _publisher(settings: WorkerSettings) -> Publisher:
    """Make a publisher; do so before reading the current settings.

    Of two commands at once, the later one fences the earlier, which then writes nothing. So none overwrites settings
    that it has not read. Without transactions nothing prevents that.
    """
    return Publisher(settings, "topics-create")


def _publish(publisher: Publisher, prefix: str, published: Published, now_ms: int) -> None:
    """Write one record to each journal partition, to facts and to settings, all or none, without a registry."""
    topics = Topics(prefix)
    text = published.domain.model_dump_json()
    size = len(text.encode())
    if size > SETTINGS_BYTES_MAX:
        raise CannotChange(
            f"prefix {prefix}: the settings with all flows would have {size} bytes; at most {SETTINGS_BYTES_MAX} are "
            "allowed, so publish fewer or shorter flows"
        )
    value = SINGLE_OBJECT.encode(Configured(text, now_ms, published.rules, published.tzdata))
    try:
        with publisher.transaction():
            for partition in range(published.domain.journal_partitions):
                publisher.send(topics.journal, partition, None, value)
            publisher.send(topics.facts, 0, None, value)
            publisher.send(topics.settings, 0, _KEY, value)
    except KafkaException as error:
        if error.args[0].code() not in _FENCED:
            raise
        raise PublishedMeanwhile(
            f"prefix {prefix}: another command published settings at the same time, so this one wrote nothing. "
            "Check the other's result (`touchstream flows list`), then run this one again"
        ) from None
