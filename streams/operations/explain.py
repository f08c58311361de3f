"""Everything that the topics of a prefix say about one customer, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from schemas.insights import Model
from schemas.journal import ModelChunk, ModelTick
from schemas.outputs import Credit, Decision, ProfileView, SegmentChanged, Trigger
from streams.fold.partition_state import PartitionState, with_chunk, with_tick
from streams.kafka.partitioner import partition_of
from streams.operations.wording import change_sentence, why_segment
from streams.profiles.keys import USER, is_customer
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.operations.prefix import Prefix

T = TypeVar("T")


class NotACustomer(ValueError):
    """A key that no public profile can have."""


class Change(msgspec.Struct, frozen=True):
    """A change of segment, and a sentence that explains it."""

    change: SegmentChanged
    sentence: str


class Explanation(msgspec.Struct, frozen=True):
    """`profile` None: nothing about this key is public, or it was merged into another customer (`is_withdrawn`)."""

    customer: str
    profile: ProfileView | None
    is_withdrawn: bool
    why: tuple[str, ...]
    segments: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    triggers: tuple[Trigger, ...]
    credits: tuple[Credit, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether the topics hold nothing about this customer."""
        return self.profile is None and not (self.is_withdrawn or self.segments or self.decisions or self.credits)


def customer_key(text: str) -> str:
    """Return a customer's key: `u:ID` and `a:ID` as they are, a bare id as a user's.

    Raises:
        NotACustomer: it is empty, or of a kind without a profile.
    """
    if is_customer(text) and len(text) > len(USER):
        return text
    if not text or text[1:2] == ":":
        raise NotACustomer(f"customer {text!r}: write u:USER_ID, a:ANONYMOUS_ID or a bare user id")
    return USER + text


def explain(prefix: Prefix, customer: str) -> Explanation:
    """Return what the topics hold about a customer, committed; read one partition of each from its beginning."""
    partition = partition_of(customer, prefix.domain.journal_partitions)
    values = list(_values(prefix, "profiles", partition, customer))
    last = values[-1] if values else None
    profile = None if last is None else prefix.wire.decode_as(ProfileView, last)
    changes = tuple(_records(prefix, "segments", partition, customer, SegmentChanged))
    used = {change.cuts_version for change in changes} | ({profile.cuts_version} if profile is not None else set())
    cuts = _cuts(prefix, partition, used - {""})
    return Explanation(
        customer=customer,
        profile=profile,
        is_withdrawn=bool(values) and last is None,
        why=() if profile is None else why_segment(profile, cuts.get(profile.cuts_version), prefix.domain),
        segments=tuple(Change(each, change_sentence(each, cuts.get(each.cuts_version))) for each in changes),
        decisions=tuple(_records(prefix, "decisions", partition, customer, Decision)),
        triggers=tuple(_records(prefix, "triggers", partition, customer, Trigger)),
        credits=tuple(_records(prefix, "credits", partition, customer, Credit)),
    )


def _values(prefix: Prefix, topic: str, partition: int, customer: str) -> Iterator[bytes | None]:
    key = customer.encode()
    for message in prefix.read(topic, partition):
        if message.key() == key:
            yield message.value()


def _records(prefix: Prefix, topic: str, partition: int, customer: str, kind: type[T]) -> Iterator[T]:
    for value in _values(prefix, topic, partition, customer):
        record = None if value is None else prefix.wire.decode(value)
        if isinstance(record, kind):  # there are revocations among the triggers
            yield record


def _cuts(prefix: Prefix, partition: int, versions: Iterable[str]) -> dict[str, CutsModel]:
    """Return the versions asked for; from the journal where compaction has removed them from `models`."""
    wanted = set(versions)
    fixed = prefix.domain.cuts_fixed
    found = {}
    if fixed is not None:
        found[FIXED] = fixed_cuts(fixed, 0)
    if wanted - found.keys():
        found |= dict(_of_models(prefix))
    if wanted - found.keys():
        found |= dict(_of_journal(prefix, partition))
    return found


def _of_models(prefix: Prefix) -> Iterator[tuple[str, CutsModel]]:
    for message in prefix.read("models", 0):
        value = message.value()
        if value is not None:
            model = prefix.wire.decode_as(Model, value)
            if model.kind == CUTS_KIND:
                yield model.version, _parsed(model.body)


def _of_journal(prefix: Prefix, partition: int) -> Iterator[tuple[str, CutsModel]]:
    headers = tuple(prefix.wire.header(kind) for kind in (ModelChunk, ModelTick))
    state = PartitionState()
    for message in prefix.read("journal", partition):
        value = message.value() or b""
        if not value.startswith(headers):
            continue
        record: Any = prefix.wire.decode(value)
        if isinstance(record, ModelChunk):
            state = with_chunk(state, record)
        elif isinstance(record, ModelTick):
            state = with_tick(state, record)
            yield from ((version, _parsed(body)) for kind, version, body in state.models if kind == CUTS_KIND)


def _parsed(body: bytes) -> CutsModel:
    return msgspec.json.decode(body, type=CutsModel)
