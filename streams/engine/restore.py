"""Restoring a partition's local state to the group's committed offset."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from state.store import StateUnreadable
from streams.engine.stable import NOT_COMMITTED, outsider, stable_offsets
from streams.kafka.watermarks import watermarks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from threading import Event

    from confluent_kafka import Consumer

    from state.store import Store
    from streams.engine.clients import Clients
    from streams.engine.disk import Disk
    from streams.engine.inputs import Input
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

_POLL_SECONDS = 0.2
_RECORDS_MAX = 5_000
_LOG_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class OffsetMissing(Exception):
    """There is state without its offset: a person has to decide."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition's state at `committed` (-1: the group has none), and how many records were read."""

    store: Store | None
    committed: int
    records: int


@dataclass(frozen=True, slots=True)
class Restoration:
    """Which partition is to be restored, with what; `on_progress` learns its share from 0 to 1."""

    settings: EngineSettings
    clients: Clients
    source: Input
    number: int
    cancelled: Event
    on_progress: Callable[[float], None]

    @property
    def place(self) -> PartitionId:
        return self.source.topic, self.number

    def consumer(self, **config: str | int) -> AbstractContextManager[Consumer]:
        """Open a consumer that joins no group."""
        return outsider(self.clients, self.settings, **config)


def restore(wanted: Restoration) -> Restored | None:
    """Restore a partition; blocks, and gives None once it is cancelled.

    The order matters. (1) First the committed offset, stable, so that every transaction which moves it is closed.
    (2) Then the changelog's end, read uncommitted: no record of those transactions can come after it. (3) Then its
    committed records up to there. The position also counts offsets between records: control records, and records
    that compaction has removed.
    """
    settings, source, number = wanted.settings, wanted.source, wanted.number
    committed = _committed(wanted)
    if committed is None:
        return None
    if source.changelog is None:
        return Restored(None, committed, 0)
    changelog = (source.changelog, number)
    with wanted.consumer(**{"isolation.level": "read_uncommitted"}) as consumer:
        low, high = watermarks(consumer, changelog)
    store = _open(settings, wanted.clients.disk, settings.state_dir / f"{source.topic}-{number}", low, high)
    try:
        records = _catch_up(wanted, store, changelog, (low, high))
    except BaseException:
        store.close()
        raise
    if records is None:
        store.close()
        return None
    if committed == NOT_COMMITTED and next(iter(store.items()), None) is not None:
        # who was held up since it asked may find another worker's first commit; it is no member any more then
        committed = _committed(wanted)
        if committed is None or committed == NOT_COMMITTED:
            store.close()
        if committed == NOT_COMMITTED:
            raise OffsetMissing(
                f"{source.topic}-{number} has state in {source.changelog}, but group {settings.group} has no"
                " committed offset: it was deleted or has expired. Starting at the beginning would count every"
                " record twice. Set the group's offset, or use a new prefix"
            )
    return None if committed is None else Restored(store, committed, records)


def _committed(wanted: Restoration) -> int | None:
    place = wanted.place
    with wanted.consumer() as consumer:
        while not wanted.cancelled.is_set():
            try:
                return stable_offsets(consumer, [place])[place]
            except KafkaException as error:
                if error.args[0].fatal():
                    raise
                _log.warning(
                    "no committed offset yet: asking again", topic=place[0], partition=place[1], error=str(error)
                )
    return None


def _open(settings: EngineSettings, disk: Disk, path: Path, low: int, high: int) -> Store:
    age_ms = disk.age_ms(path)
    try:
        store = disk.open(path)
    except StateUnreadable as error:
        _log.error("state unreadable", path=str(path), moved_to=disk.set_aside(path).name, error=str(error))
        return disk.open(path)
    if store.position < 0 or (low <= store.position <= high and age_ms <= settings.state_age_ms_max):
        return store
    _log.warning(
        "local state does not fit its changelog: rebuilding it",
        path=str(path),
        position=store.position,
        changelog_low=low,
        changelog_high=high,
        age_s=age_ms // 1_000,
    )
    store.close()
    disk.destroy(path)
    return disk.open(path)


def _catch_up(wanted: Restoration, store: Store, changelog: PartitionId, ends: tuple[int, int]) -> int | None:
    low, high = ends
    position = start = max(store.position, low)
    records, began_s = 0, time.monotonic()
    logged_s = began_s
    if position >= high:
        return 0
    with wanted.consumer() as consumer:
        consumer.assign([TopicPartition(*changelog, start)])
        while position < high:
            if wanted.cancelled.is_set():
                return None
            first = consumer.poll(_POLL_SECONDS)
            fetched = [] if first is None else [first, *consumer.consume(_RECORDS_MAX, 0)]
            changes: list[tuple[bytes, bytes | None]] = []
            for message in fetched:
                error = message.error()
                if error is None:
                    changes.append((message.key(), message.value()))
                    position = message.offset() + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                    position = max(position, message.offset())
                else:
                    raise KafkaException(error)
            if fetched:
                store.write(changes, position)
                records += len(changes)
                wanted.on_progress((position - start) / (high - start))
            if time.monotonic() - logged_s > _LOG_SECONDS:
                logged_s = time.monotonic()
                _log.info(
                    "restoring",
                    topic=changelog[0],
                    partition=changelog[1],
                    records=records,
                    position=position,
                    until=high,
                    seconds=round(logged_s - began_s, 1),
                )
    return records
