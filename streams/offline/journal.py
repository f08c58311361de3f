"""A journal as a backtest reads it: in two halves, the records of devices and all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from confluent_kafka import Message

from streams.profiles.keys import DEVICE

Half = tuple[bool, int, Iterable[Message]]
"""(whether of devices, partition, its records in order)."""

_DEVICE = DEVICE.encode()


class Journal(Protocol):
    """A journal, in Kafka or in a file."""

    def halves(self, starts: Mapping[int, int]) -> Iterator[Half]:
        """Yield each partition twice: first all partitions' records of devices, then the others.

        Records without a key are in both. A half begins at the offset in `starts`, if there is one. Read each half
        before asking for the next.
        """
        ...


def is_in(key: bytes | None, *, of_devices: bool) -> bool:
    """Return whether records with this key belong to that half."""
    return key is None or key.startswith(_DEVICE) is of_devices
