"""Who a customer is, by the topics of a prefix, and what a person changes of it: links, logouts and undos."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4, Link, UndoMerge, Unlink
from schemas.limits import CAUSE_BYTES_MAX
from schemas.outputs import DeadLetter, ProfileDivided, ProfileMerged, ProfileView
from streams.collect.hiding import masked
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher
from streams.operations.prefix import earlier_rules
from streams.operations.time import times_of
from streams.profiles.keys import is_device, is_user
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.operations.prefix import Prefix

WHY_MAX = 200
BY_MAX = 64
_PAUSE_SECONDS = 0.5


class CannotChange(Exception):
    """What a person asks cannot be; the message says why, and what is possible."""


class Identity(msgspec.Struct, frozen=True):
    """Who a key is. None of the lists is longer than a profile's links."""

    customer: str
    is_known: bool
    """Whether the topic `profiles` has a record of the key, or names it as a device."""
    user_id: str | None
    devices: tuple[str, ...]
    """Devices that belong to a user."""
    users: tuple[str, ...]
    """Users to whom a device belongs or has belonged."""
    merged_into: ProfileMerged | None
    merged: tuple[ProfileMerged, ...]
    """Users who were merged into this one, in the order of time."""


def identity_of(prefix: Prefix, customer: str) -> Identity:
    """Return who a key is; reads the topic `profiles` from its beginning."""
    return identities_of(prefix, (customer,))[0]


def identities_of(prefix: Prefix, customers: Sequence[str]) -> tuple[Identity, ...]:
    """Return who each of these keys is; reads the topic `profiles` from its beginning, once."""
    found = [_Found(customer) for customer in customers]
    for number in range(prefix.domain.journal_partitions):
        for message in prefix.read("profiles", number):
            key, value = (message.key() or b"").decode(), message.value()
            record = None if value is None else prefix.wire.decode(value)
            for each in found:
                each.take(key, record)
    return tuple([each.identity() for each in found])


class _Found:
    """What the records of the topic `profiles` say of one key so far."""

    def __init__(self, customer: str) -> None:
        self._customer = customer
        self._is_known = False
        self._shown: msgspec.Struct | None = None
        self._merges: dict[str, ProfileMerged] = {}
        self._users: set[str] = set()

    def take(self, key: str, record: msgspec.Struct | None) -> None:
        """Take in the next record of a key."""
        if key == self._customer:
            self._shown, self._is_known = record, True
        self._merges.pop(key, None)
        self._users.discard(key)
        if isinstance(record, ProfileMerged) and record.survivor == self._customer:
            self._merges[key] = record
        elif isinstance(record, ProfileView) and self._customer in record.devices:
            self._users.add(key)

    def identity(self) -> Identity:
        profile = self._shown if isinstance(self._shown, ProfileView) else None
        return Identity(
            customer=self._customer,
            is_known=self._is_known or bool(self._users),
            user_id=None if profile is None else profile.user_id,
            devices=() if profile is None else profile.devices,
            users=tuple(sorted(self._users)),
            merged_into=self._shown if isinstance(self._shown, ProfileMerged) else None,
            merged=tuple(sorted(self._merges.values(), key=lambda each: (each.time_ms, each.customer))),
        )


def link(prefix: Prefix, one: str, other: str, why: str, by: str) -> str:
    """Ask for the merge of two users, and return the key of the one who survives.

    Raises:
        CannotChange: they are no two users whom the prefix knows on their own.
    """
    _check_rules(prefix)
    for key in (one, other):
        if not is_user(key):
            raise CannotChange(f"{key}: only users are linked, so write u:USER_ID; a device is linked when they log in")
    for who in identities_of(prefix, (one, other)):
        if who.merged_into is not None:
            raise CannotChange(f"{who.customer} is merged into {who.merged_into.survivor} already, so link that one")
        if not who.is_known:
            raise CannotChange(f"{who.customer}: there is no such user in prefix {prefix.settings.prefix}")
    if one == other:
        raise CannotChange(f"{one} is one user already; name two")
    survivor, gone = sorted((one, other))
    _write(prefix, gone, Link(survivor, 0, _cause(why, by)))
    return survivor


def unlink(prefix: Prefix, device: str, why: str, by: str, now_ms: Callable[[], float] = time.time) -> tuple[str, ...]:
    """Log the user out of a device, and return the users to whom it belonged.

    Raises:
        CannotChange: it is no device that belongs to a user.
    """
    _check_rules(prefix)
    if not is_device(device):
        raise CannotChange(
            f"{device}: only a device is unlinked, so write a:ANONYMOUS_ID; two users who were merged are parted by "
            "`touchstream identity undo`"
        )
    users = identity_of(prefix, device).users
    if not users:
        raise CannotChange(f"{device}: this device belongs to no user in prefix {prefix.settings.prefix}")
    partition = partition_of(device, prefix.domain.journal_partitions)
    at_ms = int(now_ms() * 1_000)
    if prefix.domain.clock != "wall":
        at_ms = times_of(prefix)[partition].complete_to_ms or 0
    # the device takes the one that names its last user
    _write(prefix, device, *[Unlink(user, at_ms, _cause(why, by)) for user in users])
    return users


def check_undoable(prefix: Prefix, customer: str, now_ms: Callable[[], float] = time.time) -> ProfileMerged:
    """Return how a user was merged, if that can be undone.

    Raises:
        CannotChange: they were not merged, or too long ago.
    """
    _check_rules(prefix)
    if not is_user(customer):
        raise CannotChange(
            f"{customer}: only the merge of a user is undone, so write u:USER_ID; a device is freed by "
            "`touchstream identity unlink`"
        )
    merged = identity_of(prefix, customer).merged_into
    if merged is None:
        raise CannotChange(f"{customer} is not merged into another user, so there is nothing to undo")
    has_passed = prefix.domain.clock == "wall" and now_ms() * 1_000 >= merged.undo_until_ms
    if not merged.undo_until_ms or has_passed:
        raise CannotChange(f"{customer} was merged into {merged.survivor} too long ago: a merge is undone in 30 days")
    return merged


def undo(prefix: Prefix, customer: str, why: str, by: str, wait_seconds: float) -> ProfileDivided | None:
    """Ask for the undo of a user's merge, and return what was divided; None: nothing has come within that time.

    Raises:
        CannotChange: as `check_undoable`, or the partition of the user or the survivor refuses it.
    """
    check_undoable(prefix, customer)
    partition = partition_of(customer, prefix.domain.journal_partitions)
    starts = {
        "profiles": (partition, _end(prefix, "profiles", partition)),
        "dead_letters": (0, _end(prefix, "dead_letters", 0)),
    }
    asked = UndoMerge(masked(why)[:WHY_MAX], masked(by)[:BY_MAX])
    _write(prefix, customer, asked)
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        for topic, (number, start) in starts.items():
            for message in prefix.read(topic, number, start):
                found = _answer(prefix, message.value(), customer, asked)
                if found is not None:
                    return found
        time.sleep(_PAUSE_SECONDS)
    return None


def _answer(prefix: Prefix, value: bytes | None, customer: str, asked: UndoMerge) -> ProfileDivided | None:
    record = None if value is None else prefix.wire.decode(value)
    if isinstance(record, ProfileDivided) and record.customer == customer:
        return record
    if isinstance(record, DeadLetter) and record.reason == "not_undone":
        held = prefix.wire.decode(record.value or b"")
        is_ours = isinstance(held, UndoMerge) and (held.why, held.by) == (asked.why, asked.by)
        if is_ours and customer in {held.source, (record.key or b"").decode()}:
            raise CannotChange(record.detail)
    return None


def _end(prefix: Prefix, topic: str, partition: int) -> int:
    last = prefix.last(topic, partition)
    return 0 if last is None else (last.offset() or 0) + 1


def _check_rules(prefix: Prefix) -> None:
    if prefix.rules < RULES_4:
        raise CannotChange(earlier_rules(prefix))


def _cause(why: str, by: str) -> str:
    text = f"{masked(by)[:BY_MAX]}: {masked(why)[:WHY_MAX]}"
    return text.encode()[:CAUSE_BYTES_MAX].decode(errors="ignore")


def _write(prefix: Prefix, key: str, *records: msgspec.Struct) -> None:
    """Write records of the journal under one key, all or none."""
    topics = Topics(prefix.settings.prefix)
    partition = partition_of(key, prefix.domain.journal_partitions)
    publisher = Publisher(prefix.settings, "identity")
    with publisher.transaction():
        for record in records:
            publisher.send(topics.journal, partition, key.encode(), prefix.wire.encode(record))
