"""What a row has from the rows above it: values carried down within an order, and an order id where none is given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.replay.files.mapped import RefusedLines
from streams.replay.files.orders import id_of_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.replay.files.mapping import Mapping
    from streams.replay.files.rows import Row
    from streams.replay.files.sold import Sold


class Carrier:
    """A reader that completes rows, over all files of a replay.

    A blank cell of `fill_down` gets the text of the row above, if that is of the same order. Nothing is carried past a
    line that could not be read. Rows of a mapping without `group_by` get a text more, the id of their order: a hash of
    their texts, and of how many equal rows were before.
    """

    def __init__(self, mapping: Mapping, sold: Sold) -> None:
        at = {name: index for index, name in enumerate(mapping.columns)}
        self._filled = [at[name] for name in mapping.orders.fill_down]
        self._order = [at[name] for name in mapping.orders.group_by]
        self._derives = not mapping.orders.group_by and "order_completed" in mapping.type.results
        self._source = mapping.source
        self._sold = sold
        self._above: tuple[str, ...] = ()
        self._derived = ""

    def complete(self, rows: Iterable[Row | RefusedLines]) -> Iterable[Row | RefusedLines]:
        """Yield the rows, completed."""
        if self._filled:
            return self._fill(rows)
        return self._derive(rows) if self._derives else rows

    def _fill(self, rows: Iterable[Row | RefusedLines]) -> Iterator[Row | RefusedLines]:
        for row in rows:
            if isinstance(row, RefusedLines) or row.wrong is not None:
                self._above = ()
                yield row
                continue
            texts, above = row.texts, self._above
            if above and all(texts[index] in {"", above[index]} for index in self._order):
                filled = list(texts)
                for index in self._filled:
                    filled[index] = filled[index] or above[index]
                texts = tuple(filled)
            self._above = texts
            yield row if texts is row.texts else replace(row, texts=texts)

    def _derive(self, rows: Iterable[Row | RefusedLines]) -> Iterator[Row | RefusedLines]:
        for row in rows:
            if isinstance(row, RefusedLines):
                yield row
                continue
            if row.lines:
                # the lines of one row are of one order
                digest = id_of_row(self._source, *row.texts)
                again = self._sold.count(digest)
                self._derived = digest if again == 1 else id_of_row(digest, str(again))
            yield replace(row, texts=(*row.texts, self._derived))
