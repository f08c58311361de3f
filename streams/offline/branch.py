"""A partition folded with one set of flows: those that the journal has, or those to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.journal import (
    Absorbed,
    AddressConsent,
    AddressNotice,
    Configured,
    Link,
    OrderOwned,
    OrderTold,
    SlotAnswered,
    SlotAsked,
    SlotsDue,
    Unlink,
    Wake,
)
from schemas.touchpoint import Touchpoint
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.fold.attempt import RAISED, Refused, as_it_is, attempt
from streams.fold.fold import Fold
from streams.fold.partition_state import PARTITION_KEY, JournalCodec
from streams.fold.record import AGAIN, Record
from streams.profiles.effects import FlowEffects

if TYPE_CHECKING:
    from streams.fold.partition_state import PartitionState
    from streams.offline.exchange import Exchange
    from streams.offline.sendings import Sendings
    from streams.offline.trial import Trial

_SENT = (Link, Unlink, Absorbed, AddressConsent, AddressNotice, OrderTold, OrderOwned)
_OF_SLOTS = (SlotAsked, SlotAnswered, SlotsDue)


def is_sent(record: Record) -> bool:
    """Return whether a record was sent by a partition because of another record."""
    value = record.value
    return not record.is_again and (record.hops > 0 if type(value) is Touchpoint else type(value) in _SENT)


class Branch:
    """A fold with the flows that the journal has."""

    def __init__(self, store: MemoryStore, sendings: Sendings) -> None:
        self._store = store
        self._overlay: Overlay[Any] = Overlay(store, JournalCodec())
        self._fold = Fold(self._overlay, FlowEffects)
        self._sendings = sendings
        self._commits = store.position

    def fold(self, record: Record) -> None:
        """Fold a record and what it is to be followed by: it wakes all idle customers, and waits for nothing."""
        if record.is_again:
            return
        following = self._step(record)
        while following is not None:
            following = self._step(following)
        self._note(record)

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
            elif key is not None:
                self._send(key, appended)
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

    def _send(self, key: str, value: Any) -> None:  # noqa: ANN401 - any record of the journal
        """Do nothing with what goes to another profile: the journal has its own record of it."""

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
        self.commit()
        if not is_copied:
            return self._store
        copy = MemoryStore()
        copy.write(self._store.items(), self._store.position)
        return copy

    @property
    def watermark_ms(self) -> int | None:
        """Return how far time has come; None: not known."""
        partition: PartitionState | None = self._overlay.get(PARTITION_KEY)
        return None if partition is None else partition.now_ms

    def commit(self) -> None:
        """Encode what has changed."""
        self._commits += 1
        self._overlay.freeze()
        self._overlay.committed(self._commits)


class Tried(Branch):
    """A fold of the same journal with the flows to try."""

    def __init__(self, store: MemoryStore, sendings: Sendings, trial: Trial, exchange: Exchange) -> None:
        super().__init__(store, sendings)
        self._trial = trial
        self._exchange = exchange

    def fold(self, record: Record) -> None:
        value = record.value
        if type(value) in _OF_SLOTS:
            return
        if type(value) is Configured:
            changed = msgspec.structs.replace(value, settings=self._trial.settings(value.settings))
            record = msgspec.structs.replace(record, value=changed)
        elif is_sent(record):
            record = msgspec.structs.replace(record, value=self._exchange.arrived(record))
        super().fold(record)

    def take_own(self, record: Record) -> None:
        """Fold what another partition sent under these flows."""
        super().fold(record)

    def _send(self, key: str, value: Any) -> None:  # noqa: ANN401 - any record of the journal
        if type(value) in _OF_SLOTS:
            self._exchange.append(key, value)
        else:
            self._exchange.note(key, value)
