"""Records that hang, and who finds them."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

from streams.engine.batch import Condemned
from streams.fold.attempt import HUNG
from streams.fold.record import Failing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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

    @property
    def what(self) -> tuple[int, tuple[str, str] | None]:
        """Return the record, and its timer if that one hangs."""
        return self.offset, self.timer


class Trial(Protocol):
    """Finds records that hang; see TrialProcess."""

    def __call__(self, place: PartitionId, last: int, known: Sequence[Hung], cancelled: Event) -> Hung | None: ...


def digest_of(message: Message) -> str:
    """Return a name of a record's bytes."""
    return sha256(b"%r %r" % (message.key(), message.value())).hexdigest()[:32]


def note_hung(batch: Batch, hung: Iterable[Hung]) -> None:
    """Have the records of a batch that hang set aside, and the timers that do fail."""
    near = [each for each in hung if each.offset < batch.next_offset]
    offsets = {each.offset for each in near}
    digests = {message.offset(): digest_of(message) for message in batch.messages if message.offset() in offsets}
    found = [each for each in near if digests.get(each.offset) == each.digest]
    records = {each.offset: Condemned(HUNG, each.detail) for each in found if each.timer is None}
    if records:
        batch.condemned = {**records, **batch.condemned}
    timers: defaultdict[int, dict[tuple[str, str], tuple[int, str]]] = defaultdict(dict)
    for each in found:
        if each.timer is not None:
            timers[each.offset][each.timer] = 0, f"it hangs: {each.detail}"
    batch.guards = {offset: Failing(own) for offset, own in timers.items()}
