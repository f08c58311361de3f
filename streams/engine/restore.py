"""Restoring a partition's local state to the group's committed offset."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from state.store import NO_POSITION, StateUnreadable
from streams.engine.errors import ChangelogLost, OffsetMissing
from streams.engine.local_state import REBUILDING, WHAT_TO_DO, Changelog, Held, Origin, Use, use_of
from streams.engine.positions import check_reached
from streams.engine.stable import NOT_COMMITTED, outsider, stable_offsets
from streams.kafka.watermarks import watermarks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from threading import Event

    from confluent_kafka import Consumer

    from state.store import Store
    from streams.engine.clients import Clients
    from streams.engine.inputs import Input
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

_POLL_SECONDS = 0.2
_RECORDS_MAX = 5_000
_LOG_SECONDS = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition's state at `committed` (-1: the group has none), and how many records were read."""

    store: Store | None
    committed: int
    records: int
    start: int
    """Where to continue to read: at `committed`, or at the first offset that is left."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """Which partition is to be restored, with what; `on_progress` learns its share from 0 to 1."""

    settings: EngineSettings
    clients: Clients
    source: Input
    number: int
    cancelled: Event
    on_progress: Callable[[float], None]
    ids: Mapping[str, str] = field(default_factory=dict)
    """Of the topics, by name."""
    on_lost: Callable[[int, int], None] = lambda _, __: None
    """Learns the first offset that was not read and the first that is left; may raise."""

    @property
    def place(self) -> PartitionId:
        return self.source.topic, self.number

    @property
    def path(self) -> Path:
        """Return the directory of the local state."""
        return self.settings.state_dir / f"{self.source.topic}-{self.number}"

    def changelog(self, uncommitted: Consumer) -> Changelog:
        """Ask how the changelog is now; read uncommitted, its end is behind all transactions known by then."""
        name = self.source.changelog or ""
        low, high = watermarks(uncommitted, (name, self.number))
        origin = Origin(self.ids.get(self.source.topic, ""), self.ids.get(name, ""))
        return Changelog(f"{name}-{self.number}", low, high, origin)

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
    with wanted.consumer(**{"isolation.level": "read_uncommitted"}) as uncommitted:
        start = _first_left(wanted, uncommitted, committed)
        if source.changelog is None:
            return Restored(None, committed, 0, start)
        changelog = wanted.changelog(uncommitted)
    store = _open(wanted, changelog)
    try:
        if committed > 0 and changelog.high == 0:
            _check_never_used(wanted, committed)
        records = _catch_up(wanted, store, (source.changelog, number), changelog.high)
        if records is not None:
            _check_and_mark(store, changelog)
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
    return None if committed is None else Restored(store, committed, records, max(start, committed))


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


def _check_and_mark(store: Store, changelog: Changelog) -> None:
    """Refuse what a rebuild has not finished (ChangelogLost); note to which topics the state belongs."""
    if store.get(REBUILDING) is not None:
        raise ChangelogLost(f"{changelog.name} is half written: run `touchstream rebuild` again")
    if store.origin != changelog.origin.text and all(changelog.origin):
        store.keep_origin(changelog.origin.text)


def _first_left(wanted: Restoration, uncommitted: Consumer, committed: int) -> int:
    """Return the committed offset, or the first one that is left of the input; raise what `on_lost` does."""
    low, high = watermarks(uncommitted, wanted.place)
    check_reached(wanted.place, committed, high)
    if low <= max(committed, 0):
        return committed
    wanted.on_lost(max(committed, 0), low)
    return low


def _open(wanted: Restoration, changelog: Changelog) -> Store:
    disk, path = wanted.clients.disk, wanted.path
    is_old = disk.age_ms(path) > wanted.settings.state_age_ms_max
    try:
        store = disk.open(path)
    except StateUnreadable as error:
        use_of(Held(NO_POSITION, Origin("", ""), is_old=False), changelog)
        aside = disk.set_aside(path, "unreadable")
        _log.error("state unreadable", path=str(path), moved_to=aside.name, error=str(error))
        return disk.open(path)
    held = Held(store.position, Origin.read(store.origin), is_old)
    try:
        use = use_of(held, changelog)
    except ChangelogLost:
        store.close()
        raise
    if use is Use.CONTINUE:
        return store
    store.close()
    if use is Use.REBUILD:
        _log.warning("local state is old: rebuilding it", path=str(path))
        disk.destroy(path)
    else:
        aside = disk.set_aside(path, "of-deleted-topics")
        _log.warning("local state is of topics that were deleted: rebuilding it", path=str(path), moved_to=aside.name)
    return disk.open(path)


def _check_never_used(wanted: Restoration, committed: int) -> None:
    """Refuse an empty changelog of records that were processed; ChangelogLost.

    State, changelog and offsets are committed together, and the first record of an input with state makes some.
    """
    with wanted.consumer() as consumer:
        consumer.assign([TopicPartition(*wanted.place, OFFSET_BEGINNING)])
        while not wanted.cancelled.is_set():
            message = consumer.poll(_POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                raise KafkaException(error)
            if error is None and (message.offset() or 0) < committed:
                name = f"{wanted.source.topic}-{wanted.number}"
                raise ChangelogLost(
                    f"{wanted.source.changelog}-{wanted.number} is empty, though {name} was processed up to offset"
                    f" {committed}: the changelog was emptied or made again. {WHAT_TO_DO}"
                )
            return


def _catch_up(wanted: Restoration, store: Store, changelog: PartitionId, high: int) -> int | None:
    position = start = max(store.position, 0)
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
