"""Records that hang, and who finds them."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from threading import Event

    from confluent_kafka import Message

    from streams.kafka.offsets import PartitionId


class Hung(NamedTuple):
    """A record that does not end. `digest` is of its bytes: a topic made again has other records at its offsets."""

    offset: int
    digest: str
    detail: str


class Trial(Protocol):
    """Finds records that hang; see TrialProcess."""

    def __call__(self, place: PartitionId, last: int, known: Sequence[Hung], cancelled: Event) -> Hung | None: ...


def digest_of(message: Message) -> str:
    """Return a name of a record's bytes."""
    return sha256(b"%r %r" % (message.key(), message.value())).hexdigest()[:32]


def hung_in(messages: Iterable[Message], hung: Mapping[int, Hung]) -> dict[int, str]:
    """Return those of the records that hang, by offset, with where they do."""
    found = ((message, hung.get(message.offset() or 0)) for message in messages)
    return {
        each.offset: each.detail for message, each in found if each is not None and each.digest == digest_of(message)
    }
