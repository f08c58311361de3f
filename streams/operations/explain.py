"""Everything that the topics of a prefix say about one customer, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from schemas.insights import Model
from schemas.journal import ModelChunk, ModelTick
from schemas.outputs import Credit, Decision, ProfileMerged, ProfileView, SegmentChanged, Trigger
from schemas.units import shown_time
from streams.fold.partition_state import PartitionState, with_chunk, with_tick
from streams.kafka.partitioner import partition_of
from streams.operations.held import held_profile
from streams.operations.wording import change_sentence, why_segment
from streams.profiles.keys import USER, is_customer
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.operations.prefix import Prefix
    from streams.profiles.profile import Profile

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
    survivor: str | None
    """Key of the user into whom this one was merged, because a touchpoint named both ids."""
    why: tuple[str, ...]
    segments: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    triggers: tuple[Trigger, ...]
    credits: tuple[Credit, ...]
    notes: tuple[str, ...] = ()
    """What else there is to know, in whole sentences."""

    @property
    def is_empty(self) -> bool:
        """Return whether the topics hold nothing about this customer."""
        return self.profile is None and not (
            self.is_withdrawn or self.segments or self.decisions or self.credits or self.notes
        )


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
    shown = None if last is None else prefix.wire.decode(last)
    profile = shown if isinstance(shown, ProfileView) else None
    changes = tuple(records_of(prefix, "segments", partition, customer, SegmentChanged))
    used = {change.cuts_version for change in changes} | ({profile.cuts_version} if profile is not None else set())
    cuts = _cuts(prefix, partition, used - {""})
    return Explanation(
        customer=customer,
        profile=profile,
        is_withdrawn=bool(values) and profile is None,
        survivor=shown.survivor if isinstance(shown, ProfileMerged) else None,
        why=() if profile is None else why_segment(profile, cuts.get(profile.cuts_version), prefix.domain),
        segments=tuple(Change(each, change_sentence(each, cuts.get(each.cuts_version))) for each in changes),
        decisions=tuple(records_of(prefix, "decisions", partition, customer, Decision)),
        triggers=tuple(records_of(prefix, "triggers", partition, customer, Trigger)),
        credits=tuple(records_of(prefix, "credits", partition, customer, Credit)),
        notes=notes_on(held_profile(prefix, customer)),
    )


def notes_on(profile: Profile | None) -> tuple[str, ...]:
    """Return what the state of a customer says beside the topics, in whole sentences."""
    if profile is None or profile.erasure_asked is None:
        return ()
    asked = f"The customer asked to be forgotten on {shown_time(profile.erasure_asked[0])}."
    return (f"{asked} They get no more promotions. Nothing was erased yet.",)


def _values(prefix: Prefix, topic: str, partition: int, customer: str) -> Iterator[bytes | None]:
    key = customer.encode()
    for message in prefix.read(topic, partition):
        if message.key() == key:
            yield message.value()


def records_of(prefix: Prefix, topic: str, partition: int, customer: str, kind: type[T]) -> Iterator[T]:
    """Yield a customer's records of one type in a topic, committed, in order."""
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
