"""The engine's settings, and those of a worker's Kafka clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from schemas.limits import PRODUCER_BATCH_BYTES_MAX
from schemas.units import HOUR_MS
from streams.kafka.config import RECONNECT, reader_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streams.kafka.config import ClientConfig

STATE_AGE_MS_MAX = 20 * HOUR_MS


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine. `transactional_id` and `state_dir` are a worker's own, and the same over restarts.

    `client` passes librdkafka's own settings (SASL, TLS, ...) to every client, but those that exactly-once needs stay
    ours. A local state not written for `state_age_ms_max` is rebuilt. Keep that below the changelogs'
    delete.retention.ms, after which their tombstones are gone. `cycle_records_max` counts the records that a cycle
    reads and sends. `topics` are those of the prefix with their numbers of partitions, checked at the start, at each
    assignment and every `topics_check_ms`. A step that keeps the event loop for `step_seconds_max` ends the process.
    `on_lost` says what to do when records of an input were deleted before they were read; a worker that stops for that
    ends `linger_seconds` later, so that its metrics are seen.
    """

    brokers: str
    group: str
    transactional_id: str
    state_dir: Path
    commit_interval_ms: int = 100
    commit_early_ms: int = 5
    cycle_records_max: int = 150_000
    batch_records_max: int = 1_000
    session_timeout_ms: int = 10_000
    transaction_timeout_ms: int = 8_000
    step_seconds_max: float = 30.0
    state_age_ms_max: int = STATE_AGE_MS_MAX
    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    instance_id: str | None = None
    on_lost: Literal["stop", "continue"] = "stop"
    linger_seconds: float = 15.0
    topics: Mapping[str, int] = field(default_factory=dict)
    topics_check_ms: int = 10_000
    client: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.transaction_timeout_ms >= self.session_timeout_ms:
            raise ValueError(
                f"transaction_timeout_ms is {self.transaction_timeout_ms}: it must be below session_timeout_ms"
                f" ({self.session_timeout_ms}), or a dead worker's transaction lasts longer than its membership"
            )


def client_config(settings: EngineSettings) -> ClientConfig:
    """Return the settings that all clients of a worker share."""
    # operators and `touchstream doctor` recognise a group's members by it
    return {
        "client.id": settings.transactional_id,
        **RECONNECT,
        **settings.client,
        "bootstrap.servers": settings.brokers,
    }


def consumer_config(settings: EngineSettings) -> ClientConfig:
    """Configure the group's consumer."""
    config: ClientConfig = {
        # after a full queue librdkafka would wait a second before it fetches again
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 50,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 32_768,
        "heartbeat.interval.ms": min(1_000, settings.session_timeout_ms // 3),
        **client_config(settings),
        "group.id": settings.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        # Positions chooses the offset
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": settings.session_timeout_ms,
    }
    if settings.instance_id is not None:
        config["group.instance.id"] = settings.instance_id
    return config


def asker_config(settings: EngineSettings) -> ClientConfig:
    """Configure a consumer that only asks for ends, open transactions included, and for committed offsets."""
    return {**reader_config(settings.brokers, settings.client, settings.group), "isolation.level": "read_uncommitted"}


def producer_config(settings: EngineSettings) -> ClientConfig:
    """Configure the worker's one producer."""
    config: ClientConfig = {
        # a flush does not wait for it; without it there would be many small requests
        "linger.ms": 50,
        "batch.size": PRODUCER_BATCH_BYTES_MAX,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 131_072,
        "compression.type": "lz4",
        # the topics' own limits decide what is too large
        "message.max.bytes": 16 << 20,
        **client_config(settings),
        "enable.idempotence": True,
    }
    if settings.guarantee == "exactly_once":
        config["transactional.id"] = settings.transactional_id
        config["transaction.timeout.ms"] = settings.transaction_timeout_ms
    return config
