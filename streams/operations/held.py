"""What workers hold of one key, read from the changelog of their state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES_4
from streams.engine.local_state import REBUILDING
from streams.fold.partition_state import PARTITION_KEY
from streams.kafka.partitioner import partition_of
from streams.profiles.codec import decode_profile
from streams.profiles.links import forward_target
from streams.profiles.upgrading import upgraded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from streams.operations.prefix import Prefix
    from streams.profiles.profile import Profile

_NO_PROFILES = frozenset({PARTITION_KEY, REBUILDING})
_WAYS_MAX = 10
"""Merges to follow: ways are kept short, and a foreign hand may have made a circle."""


def held_profile(prefix: Prefix, key: str) -> Profile | None:
    """Return the profile of a key as of the last commit; None: there is none.

    Raises:
        NewerState: a later release wrote it.
    """
    value, wanted = None, key.encode()
    partition = partition_of(key, prefix.domain.journal_partitions)
    for message in prefix.read("profiles_changelog", partition):
        if message.key() == wanted:
            value = message.value()
    return None if value is None else _shown(decode_profile(value), prefix)


def held_profiles(prefix: Prefix, kind: str, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Profile]]:
    """Yield the keys of one kind with their profiles as of the last commit, by key in each partition.

    With `wanted` only these keys come, and only their partitions are read. It keeps the bytes of one partition's
    profiles in memory.

    Raises:
        NewerState: a later release wrote one.
    """
    begin = kind.encode()
    only = None if wanted is None else {key.encode() for key in wanted}
    partitions = prefix.domain.journal_partitions
    numbers = range(partitions) if wanted is None else sorted({partition_of(key, partitions) for key in wanted})
    for number in numbers:
        last: dict[bytes, bytes] = {}
        for message in prefix.read("profiles_changelog", number):
            key, value = message.key() or b"", message.value()
            if key.startswith(begin) and key not in _NO_PROFILES and (only is None or key in only):
                last.pop(key, None)
                if value is not None:
                    last[key] = value
        for key in sorted(last):
            yield key.decode(), _shown(decode_profile(last[key]), prefix)


def survivor_of(prefix: Prefix, customer: str) -> tuple[str, Profile | None]:
    """Return the customer into whom one was merged, or else the customer, with their profile."""
    profile = held_profile(prefix, customer)
    for _ in range(_WAYS_MAX):
        target = None if profile is None else forward_target(customer, profile)
        if target is None:
            break
        customer, profile = target, held_profile(prefix, target)
    return customer, profile


def _shown(profile: Profile, prefix: Prefix) -> Profile:
    """Return a profile in the form of the rules that hold: its next record will raise it so."""
    return upgraded(profile, prefix.rules) if profile.rules < RULES_4 <= prefix.rules else profile
