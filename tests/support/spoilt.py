"""Topics with one record lost, doubled, changed or out of order."""

from __future__ import annotations

import msgspec

from schemas import wire
from schemas.insights import Facts
from tests.support.kept import Kept


def lost(records: list[Kept]) -> list[Kept]:
    return records[:-1]


def twice(records: list[Kept]) -> list[Kept]:
    return [*records, records[-1]]


def swapped(records: list[Kept]) -> list[Kept]:
    """The values of the last key that has two different ones in a row, the other way round."""
    for place in range(len(records) - 1, 0, -1):
        last = records[place]
        for before in range(place - 1, -1, -1):
            if records[before].key() == last.key() and records[before].value() != last.value():
                spoilt = list(records)
                spoilt[before], spoilt[place] = last, records[before]
                return spoilt
    raise AssertionError("no key has two values")


def changed(records: list[Kept]) -> list[Kept]:
    """A figure or a text of the last record that has a value is another."""
    place = max(place for place, each in enumerate(records) if each.value() is not None)
    record = wire.decode(records[place].value() or b"")
    if isinstance(record, Facts):
        first = msgspec.structs.replace(record.counts[0], value=record.counts[0].value + 1)
        other: msgspec.Struct = msgspec.structs.replace(record, counts=(first, *record.counts[1:]))
    else:
        other = msgspec.structs.replace(record, customer=record.customer + "x")
    return [*records[:place], Kept(records[place].key(), wire.encode(other)), *records[place + 1 :]]
