"""The suppression list of a prefix: what people write on it, and what is on it.

An entry is a journal record under the key of its address. So a replay meets it at the right time, and the address
passes it on to all profiles that have it. What is on the list is read from the state of the workers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from streams.fold.addressing import listing_notice
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher, in_chunks
from streams.operations.held import held_profiles
from streams.operations.prefix import earlier_rules
from streams.operations.suppression_file import Entry
from streams.profiles.keys import ADDRESS
from streams.profiles.statement import Listing
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from streams.operations.prefix import Prefix
    from streams.operations.suppression_file import Given

_RECORDS_MAX = 5_000
"""Records in one transaction."""
_CAUSE = "suppress"


class CannotSuppress(Exception):
    """The list cannot be changed here; the message says why and what to do."""


class Done(msgspec.Struct, frozen=True):
    """What became of entries."""

    written: int
    unchanged: int
    """They say what the list said before."""
    outdated: int = 0
    """They are older than what the list says of their address."""


def entries_on(prefix: Prefix) -> Iterator[Entry]:
    """Yield what is on the list as of the workers' last commit, by address in each partition.

    Raises:
        NewerState: a later release wrote the state.
    """
    for address, held in _held(prefix, None):
        yield from [Entry(address, each.is_all, each.who, each.why, each.time_ms) for each in held if each.is_on]


def put_on(prefix: Prefix, entries: Iterable[Entry]) -> Done:
    """Put addresses on the list; may be repeated.

    An entry without a time is one of now, and of an address that is on the list already it changes nothing. One with a
    time counts from then on, unless the address was taken off later.

    Raises:
        CannotSuppress: the prefix does not fold by rules 4 yet.
        KafkaException: the brokers refuse it; what is not committed is not done.
    """
    by_time = sorted(entries, key=lambda each: (each.time_ms is None, each.time_ms or 0))
    wanted = {(each.address, each.is_all): each for each in by_time}
    asked_ms = _now_ms()
    held = _known(prefix, {address for address, _ in wanted})
    new: list[tuple[str, Listing]] = []
    unchanged = outdated = 0
    for each in wanted.values():
        known = [item for item in held.get(each.address, ()) if item.is_all is each.is_all]
        time_ms = each.time_ms or _after(known, asked_ms)
        entry = Listing(each.is_all, is_on=True, time_ms=time_ms, who=each.who, why=each.why)
        later = [item for item in known if each.time_ms is None or item.time_ms > time_ms or item == entry]
        if any(item.is_on for item in later):
            unchanged += 1
        elif each.time_ms is not None and later:
            outdated += 1
        else:
            new.append((each.address, entry))
    _write(prefix, new)
    return Done(len(new), unchanged, outdated)


def take_off(prefix: Prefix, addresses: Collection[str], given: Given) -> Done:
    """Take addresses off the list, for promotions and for all messages; may be repeated.

    Raises:
        CannotSuppress, KafkaException: as `put_on`.
    """
    asked_ms, held = _now_ms(), _known(prefix, addresses)
    new: list[tuple[str, Listing]] = []
    for address in sorted(set(addresses)):
        known = held.get(address, ())
        if any(item.is_on for item in known):
            entry = Listing(is_all=True, is_on=False, time_ms=_after(known, asked_ms), who=given.who, why=given.why)
            new.append((address, entry))
    _write(prefix, new)
    return Done(len(new), len(set(addresses)) - len(new))


def _now_ms() -> int:
    return int(time.time() * 1_000)


def _after(known: Iterable[Listing], asked_ms: int) -> int:
    """Return a time at which an entry takes the place of the others, though this machine's clock may be behind."""
    return max([asked_ms, *[item.time_ms + 1 for item in known]])


def _known(prefix: Prefix, addresses: Collection[str]) -> Mapping[str, tuple[Listing, ...]]:
    if prefix.rules < RULES_4:
        raise CannotSuppress(earlier_rules(prefix))
    return dict(_held(prefix, {ADDRESS + address for address in addresses}))


def _held(prefix: Prefix, wanted: Collection[str] | None) -> Iterator[tuple[str, tuple[Listing, ...]]]:
    for key, profile in held_profiles(prefix, ADDRESS, wanted):
        for box in profile.mailboxes:
            if box.listed and ADDRESS + box.address == key:
                yield box.address, box.listed


def _write(prefix: Prefix, entries: Iterable[tuple[str, Listing]]) -> None:
    publisher, journal = None, Topics(prefix.settings.prefix).journal
    for chunk in in_chunks(entries, lambda _: 0, _RECORDS_MAX):
        if publisher is None:
            publisher = Publisher(prefix.settings, _CAUSE)
        else:
            # another command may have written meanwhile; of two entries the later one holds
            publisher.renew()
        with publisher.transaction():
            for address, entry in chunk:
                key = ADDRESS + address
                notice = listing_notice(entry, address, f"{_CAUSE}:{entry.time_ms}")
                partition = partition_of(key, prefix.domain.journal_partitions)
                publisher.send(journal, partition, key.encode(), prefix.wire.encode(notice))
