"""The quality of column files, by their own lines and by what a door would make of them."""

from __future__ import annotations

from array import array
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.container import SUFFIX
from schemas.nobody import IDS_OF_NOBODY
from streams.collect.nobody import is_of_nobody
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.rows import Row, read_rows
from streams.replay.files.sources import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from streams.replay.files.mapping import Mapping


class FileQuality(msgspec.Struct, frozen=True):
    """Counts of lines, and of the touchpoints that they become."""

    lines: int
    without_customer: int
    """Lines whose customer is blank."""
    customer_is_nobody: int
    """Lines whose customer is a text such as null or guest."""
    exact_duplicates: int
    """Lines that are, byte by byte, the same as an earlier one."""
    price_zero: int
    price_negative: int
    quantity_zero: int
    quantity_negative: int
    no_number: int
    """Lines whose price or quantity is no number."""
    touchpoints: dict[str, int]
    """By type."""
    refused: dict[str, int]
    """Lines by the reason why no touchpoint has them."""
    repeated_event_ids: int
    repeated_order_ids: int
    shared_addresses: int
    """Addresses of more than one customer."""


class _Lines:
    """Counts of rows of tables."""

    def __init__(self, mapping: Mapping) -> None:
        at = {name: index for index, name in enumerate(mapping.columns)}
        product, user = mapping.product, mapping.fields.user_id
        self._at_user = None if user is None or user.column is None else at[user.column]
        self._at_price = at[product.price or product.amount or ""]
        self._at_quantity = None if product.quantity is None else at[product.quantity]
        self._hashes = array("Q")
        self.counts = Counter[str]()

    def add(self, row: Row) -> None:
        counts, texts = self.counts, row.texts
        counts["lines"] += 1
        # 8 bytes a line; of a hundred million lines, two that differ look alike with a chance of one in 4,000
        self._hashes.append(xxh3_64_intdigest(row.raw.rstrip(b"\r\n")))
        if self._at_user is not None:
            user = texts[self._at_user].strip()
            counts["without_customer" if not user else "customer_is_nobody"] += not user or is_of_nobody(
                user, IDS_OF_NOBODY
            )
        numbers = [("price", self._at_price), ("quantity", self._at_quantity)]
        read = [(name, _number(texts[index])) for name, index in numbers if index is not None]
        counts["no_number"] += any(number is None for _, number in read)
        for name, number in read:
            if number is not None and number <= 0:
                counts[f"{name}_negative" if number else f"{name}_zero"] += 1

    def duplicates(self) -> int:
        return repeated(self._hashes)


class _Touchpoints:
    """Counts of what lines become."""

    def __init__(self) -> None:
        self.types, self.refused = Counter[str](), Counter[str]()
        self.events, self.orders = array("Q"), array("Q")
        self._addresses, self._users = array("Q"), array("Q")

    def add(self, mapped: MappedTouchpoint) -> None:
        event = mapped.touchpoint
        self.types[event.type] += 1
        self.events.append(xxh3_64_intdigest(f"{event.source}\x1f{event.event_id}".encode()))
        if event.type == "order_completed" and event.order is not None:
            self.orders.append(xxh3_64_intdigest(event.order.order_id.encode()))
        if event.email_hash and event.user_id:
            self._addresses.append(xxh3_64_intdigest(event.email_hash.encode()))
            self._users.append(xxh3_64_intdigest(event.user_id.encode()))

    def shared_addresses(self) -> int:
        pairs = np.unique(np.stack([_as_numbers(self._addresses), _as_numbers(self._users)]), axis=1)
        _, customers = np.unique(pairs[0], return_counts=True)
        return int((customers > 1).sum())


def repeated(hashes: array[int]) -> int:
    """Return how many of the hashes are the same as an earlier one."""
    return len(hashes) - len(np.unique(_as_numbers(hashes)))


def _as_numbers(hashes: array[int]) -> NDArray[np.uint64]:
    return np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def file_quality(paths: Sequence[Path], mapping: Mapping | None) -> FileQuality:
    """Read files twice, as lines and as a replay would; of a container of touchpoints there are no lines to count.

    Raises:
        MappingError: a table has no mapping.
        ColumnFileError, ContainerError, SoldError: as of a replay.
    """
    touchpoints = _Touchpoints()
    for mapped in open_files(paths, mapping).mapped:
        if isinstance(mapped, MappedTouchpoint):
            touchpoints.add(mapped)
        else:
            touchpoints.refused[str(mapped.reason)] += mapped.lines
    counts, duplicates = Counter[str](), 0
    if mapping is not None:
        lines = _Lines(mapping)
        for row in _rows(paths, mapping):
            lines.add(row)
        counts, duplicates = lines.counts, lines.duplicates()
    return FileQuality(
        lines=counts["lines"],
        without_customer=counts["without_customer"],
        customer_is_nobody=counts["customer_is_nobody"],
        exact_duplicates=duplicates,
        price_zero=counts["price_zero"],
        price_negative=counts["price_negative"],
        quantity_zero=counts["quantity_zero"],
        quantity_negative=counts["quantity_negative"],
        no_number=counts["no_number"],
        touchpoints=dict(sorted(touchpoints.types.items())),
        refused=dict(sorted(touchpoints.refused.items())),
        repeated_event_ids=repeated(touchpoints.events),
        repeated_order_ids=repeated(touchpoints.orders),
        shared_addresses=touchpoints.shared_addresses(),
    )


def _rows(paths: Sequence[Path], mapping: Mapping) -> Iterator[Row]:
    for path in paths:
        if path.suffix != SUFFIX:
            yield from (row for row in read_rows(path, mapping) if isinstance(row, Row))
