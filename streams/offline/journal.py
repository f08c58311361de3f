"""A journal as a backtest reads it: in two halves, what concerns devices and all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from confluent_kafka import Message

from streams.profiles.keys import DEVICE

Half = tuple[bool, int, Iterable[Message]]
"""(whether of devices, partition, its records in order)."""

_DEVICE = DEVICE.encode()


class Journal(Protocol):
    """A journal, wherever it lies."""

    def halves(self, starts: Mapping[int, int]) -> Iterator[Half]:
        """Each partition twice: all partitions' records of devices, then their others; those without a key in both.

        From the offset in `starts` on, where there is one; each half is to be read before the next is asked for.
        """
        ...


def is_in(key: bytes | None, *, of_devices: bool) -> bool:
    """Whether what stands under this key concerns that half."""
    return key is None or key.startswith(_DEVICE) is of_devices
