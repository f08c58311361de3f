"""Records that hang, and who finds them."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from threading import Event

    from confluent_kafka import Message

    from streams.engine.batch import Batch
    from streams.kafka.offsets import PartitionId


class Hung(NamedTuple):
    """A record that does not end. `digest` is of its bytes: a topic made again has other records at its offsets."""

    offset: int
    digest: str
    detail: str
    timer: tuple[str, str] | None = None
    """(customer, timer) that does not end when the record fires it; None: the record itself does not end."""


class TimerHung(Exception):
    """A timer that is known to hang, raised in place of its code."""


class HungTimers:
    """A guard of a record's timers: those that hang raise instead."""

    def __init__(self, hung: Iterable[Hung]) -> None:
        self._details = {each.timer: each.detail for each in hung}

    def __call__(self, customer: str, timer: str) -> None:
        """Raise TimerHung if the timer is one of those."""
        detail = self._details.get((customer, timer))
        if detail is not None:
            raise TimerHung(f"it hangs: {detail}")


class Trial(Protocol):
    """Finds records that hang; see TrialProcess."""

    def __call__(self, place: PartitionId, last: int, known: Sequence[Hung], cancelled: Event) -> Hung | None: ...


def digest_of(message: Message) -> str:
    """Return a name of a record's bytes."""
    return sha256(b"%r %r" % (message.key(), message.value())).hexdigest()[:32]


def note_hung(batch: Batch, hung: Sequence[Hung]) -> None:
    """Tell a batch which of its records hang, and which fire timers that do."""
    batch.hung = hung_in(batch.messages, {each.offset: each for each in hung if each.timer is None})
    timers = [each for each in hung if each.timer is not None]
    if timers:
        digests = {message.offset(): digest_of(message) for message in batch.messages}
        found = [each for each in timers if digests.get(each.offset) == each.digest]
        batch.guards = {
            offset: HungTimers(each for each in found if each.offset == offset)
            for offset in {each.offset for each in found}
        }


def hung_in(messages: Iterable[Message], hung: Mapping[int, Hung]) -> dict[int, str]:
    """Return those of the records that hang, by offset, with where they do."""
    found = ((message, hung.get(message.offset() or 0)) for message in messages)
    return {
        each.offset: each.detail for message, each in found if each is not None and each.digest == digest_of(message)
    }
