"""Folding of a journal's past with other flows: the same fold, but effects are kept and nothing is appended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from schemas.journal import Absorbed, Configured, Progress, Wake
from schemas.touchpoint import Touchpoint
from schemas.wire import WireError
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.flows.language.flow_set import ALL_FLOWS
from streams.fold.attempt import RAISED, Refused, as_it_is, attempt
from streams.fold.fold import Fold
from streams.fold.partition_state import PARTITION_KEY, JournalCodec
from streams.fold.record import AGAIN, Record
from streams.kafka.journal import announced_ms, read_record
from streams.offline.checkpoints import divided, of_another_journal
from streams.offline.journal import is_in
from streams.offline.sendings import Sendings
from streams.profiles.effects import FlowEffects
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Message
    from pydantic import JsonValue

    from schemas.wire import Wire
    from streams.fold.partition_state import PartitionState
    from streams.offline.checkpoints import Checkpoints
    from streams.offline.journal import Journal

_COMMIT_EVERY = 50_000
"""Records; at most as many changed profiles are kept decoded beside the cache."""


class Folded(NamedTuple):
    """The part of the journal that a backtest folded."""

    records: int
    begin_ms: int
    """The first time of a record in the trial; 0: there was none."""
    end_ms: int
    """The last time, at most the trial's end."""


class Trial(NamedTuple):
    """Flows to try, as if they had been published at a time in the past."""

    flows: tuple[Mapping[str, JsonValue], ...]
    from_ms: int
    to_ms: int
    """The journal is folded until everything before this time has happened."""
    is_alone: bool = False
    """Without the published flows of other ids, which otherwise run beside them."""

    def settings(self, published: str) -> str:
        """Return published settings with the flows to try."""
        domain = parse_domain(published)
        tried = {flow["id"] for flow in self.flows}
        others = () if self.is_alone else tuple(flow for flow in domain.flows if flow["id"] not in tried)
        # other flows keep their state; a flow to try is live for everybody, also where all are paused
        not_kept = {*tried, ALL_FLOWS}
        kept = {} if self.is_alone else domain.flow_states
        states = {name: each for name, each in kept.items() if name not in not_kept}
        return domain.model_copy(update={"flows": (*others, *self.flows), "flow_states": states}).model_dump_json()


class Past(NamedTuple):
    """What there is to fold: a journal, how its records are read, and checkpoints to begin at."""

    journal: Journal
    wire: Wire
    checkpoints: Checkpoints | None = None


def backtest(past: Past, trial: Trial, tried: Sendings, published: Sendings | None = None) -> Folded:
    """Fill `tried`, and `published` with what the published flows do in the same period.

    Devices are folded first, in all partitions. A profile that a device hands over to its user (Absorbed) has been in
    other flows than in the journal. Everything else in the journal is the same whatever flows there are.

    Each partition begins at its last checkpoint before the trial, if there is one.

    Raises:
        NewerState: a later release wrote the journal.
        UnfitCheckpoint: a checkpoint is damaged, or belongs to another journal.
    """
    absorbed: dict[tuple[str, str], Absorbed] = {}
    records, begin_ms, end_ms = 0, trial.to_ms, 0
    begun = _Begun(past.checkpoints, trial.from_ms)
    for of_devices, partition, from_start in past.journal.halves(begun.starts):
        state, messages = begun.half(partition, from_start, of_devices=of_devices)
        half = _Half(state, trial, tried, published, absorbed)
        for message in messages:
            records += of_devices or message.key() is not None
            try:
                record = read_record(message, past.wire)
            except WireError:
                continue  # it was a dead letter, and is one again
            half.fold(record)
            if half.is_over:
                break
        begin_ms, end_ms = min(begin_ms, half.begin_ms), max(end_ms, half.end_ms)
    return Folded(records, begin_ms if end_ms else 0, min(end_ms, trial.to_ms))


class _Begun:
    """The starts of halves: checkpoints taken before the trial, or nothing."""

    def __init__(self, checkpoints: Checkpoints | None, from_ms: int) -> None:
        self.starts = {} if checkpoints is None else checkpoints.starts(from_ms)
        self._checkpoints = checkpoints
        self._from_ms = from_ms
        self._found: set[int] = set()
        """Partitions in which the checkpoint's record was found."""

    def half(
        self, partition: int, messages: Iterable[Message], *, of_devices: bool
    ) -> tuple[MemoryStore, Iterable[Message]]:
        """Return the state with which half of a partition begins, and the records after it."""
        if self._checkpoints is None:
            return MemoryStore(), messages
        start = self._checkpoints.last(
            partition, self._from_ms, lambda key: key == PARTITION_KEY or is_in(key, of_devices=of_devices)
        )
        if start is None:
            return MemoryStore(), messages
        is_there, behind = divided(messages, start.place)
        if is_there:
            self._found.add(partition)
        elif not of_devices and partition not in self._found:
            raise of_another_journal(start.place)
        return start.state, behind


class _Half:
    """Half of a partition: folded with the published flows, and from the trial's time on with those to try."""

    def __init__(
        self,
        state: MemoryStore,
        trial: Trial,
        tried: Sendings,
        published: Sendings | None,
        absorbed: dict[tuple[str, str], Absorbed],
    ) -> None:
        self._trial = trial
        self._tried = tried
        self._absorbed = absorbed
        self._is_compared = published is not None
        self._published = _Branch(state, published or Sendings(0, 0))
        self._branches: list[_Branch] = [self._published]
        self.begin_ms = trial.to_ms
        self.end_ms = 0
        self.is_over = False
        """Everything before the trial's end has happened."""

    def fold(self, record: Record) -> None:
        """Fold the next record."""
        time_ms = record.received_ms or announced_ms(record)
        if time_ms >= self._trial.from_ms:
            if self._branches[-1] is self._published:
                self._begin()
                self.begin_ms = time_ms
            self.end_ms = max(self.end_ms, time_ms)
        for branch in self._branches:
            branch.fold(record)
        if type(record.value) is Progress and self.end_ms >= self._trial.to_ms:
            self.is_over = self._branches[-1].has_come_to(self._trial.to_ms)

    def _begin(self) -> None:
        """Publish the flows to try: they decide whatever was due and is not decided yet."""
        state = self._published.state(is_copied=self._is_compared)
        tried = _Tried(state, self._tried, self._trial, self._absorbed)
        if self._published.configured.settings:
            tried.fold(Record("", self._published.configured, b"", 0, 0))
        self._branches = [self._published, tried] if self._is_compared else [tried]


class _Branch:
    """A fold with the flows that the journal has."""

    def __init__(self, store: MemoryStore, sendings: Sendings) -> None:
        self._store = store
        self._overlay: Overlay[Any] = Overlay(store, JournalCodec())
        self._fold = Fold(self._overlay, FlowEffects)
        self._sendings = sendings
        self._folded = 0

    def fold(self, record: Record) -> None:
        """Fold a record and what it is to be followed by: it wakes all idle customers, and waits for nothing."""
        if record.is_again:
            return
        following = self._step(record)
        while following is not None:
            following = self._step(following)
        self._note(record)
        self._folded += 1
        if self._folded % _COMMIT_EVERY == 0:
            self._commit()

    def _step(self, record: Record) -> Record | None:
        """Fold one record, and return what has to follow it. The journal holds what else it sends there."""
        outcome = attempt(self._fold, as_it_is, record, self._fold.undo)
        if isinstance(outcome, Refused):
            # a worker makes a dead letter of it; the report counts those that raised, the command shows one
            if outcome.reason == RAISED:
                self._sendings.failures.append(outcome.detail)
            return None
        effects = outcome.effects
        if effects.outputs:
            self._sendings.take(effects.outputs)
        following: Record | None = None
        for key, appended, headers in effects.journal:
            if type(appended) is Wake:
                following = Record("", appended, b"", 0, 0)
            elif (AGAIN, b"") in headers:
                following = record
            elif type(appended) is Absorbed:
                self._handed_over(key or "", appended)
        return following

    def _note(self, record: Record) -> None:
        """Lets the sendings know what changes how they are counted."""
        match record.value:
            case Touchpoint():
                self._sendings.note(record.key, record.value)
            case Configured():
                known = self._fold.known()
                self._sendings.publish(known.flows.flows, known.settings.reporting_time_zone)
            case Absorbed():
                self._sendings.merge(record.value.source, record.key)

    def _handed_over(self, user: str, absorbed: Absorbed) -> None:
        """Note a device's profile on its way to its user; the journal has its own record of it."""

    def has_come_to(self, time_ms: int) -> bool:
        """Return whether everything before that time has happened."""
        complete_ms = self._fold.complete_to_ms()
        return complete_ms is not None and complete_ms >= time_ms - 1

    @property
    def configured(self) -> Configured:
        """Return the current settings and the number of the rules; settings that are empty: none yet."""
        partition: PartitionState | None = self._overlay.get(PARTITION_KEY)
        return Configured("", 0) if partition is None else Configured(partition.settings, 0, partition.rules)

    def state(self, *, is_copied: bool) -> MemoryStore:
        """Return the state from which another fold may continue, instead of this one or beside it."""
        self._commit()
        if not is_copied:
            return self._store
        copy = MemoryStore()
        copy.write(self._store.items(), self._store.position)
        return copy

    def _commit(self) -> None:
        self._overlay.freeze()
        self._overlay.committed(self._folded)


class _Tried(_Branch):
    """A fold of the same journal with the flows to try."""

    def __init__(
        self, store: MemoryStore, sendings: Sendings, trial: Trial, absorbed: dict[tuple[str, str], Absorbed]
    ) -> None:
        super().__init__(store, sendings)
        self._trial = trial
        self._absorbed = absorbed
        """By (device, user): the profile that this fold handed over."""

    def fold(self, record: Record) -> None:
        value = record.value
        if type(value) is Configured:
            changed = msgspec.structs.replace(value, settings=self._trial.settings(value.settings))
            record = msgspec.structs.replace(record, value=changed)
        elif type(value) is Absorbed:
            own = self._absorbed.get((value.source, record.key), value)
            record = msgspec.structs.replace(record, value=own)
        super().fold(record)

    def _handed_over(self, user: str, absorbed: Absorbed) -> None:
        self._absorbed[absorbed.source, user] = absorbed
