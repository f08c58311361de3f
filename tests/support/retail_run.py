"""Online retail, or its first weeks, replayed through a worker: what the topics then hold, beside the batch."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.insights import Facts, PanelRow
from schemas.journal import ModelChunk, ModelTick
from schemas.outputs import ProfileView
from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import open_source
from tests.support.retail import CURRENCY, ZONE, Batch, read_batch
from tests.support.running import Place, a_worker, make_place, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.replay.replayer import ReplaySummary

SIX_WEEKS_END = "2011-01-12"


@dataclass(frozen=True)
class Ran:
    """A replay that has been worked off; its topics are still there."""

    place: Place
    summary: ReplaySummary
    batch: Batch
    is_whole: bool
    views: dict[str, ProfileView]
    """By customer id."""
    chunks: list[ModelChunk]
    ticks: list[ModelTick]
    panel: list[PanelRow]
    counts: Counter[str]
    """Facts over all hours and dimensions."""
    journalled: int
    """Touchpoints in the journal, forwarded ones once."""

    @property
    def end_ms(self) -> int:
        assert self.summary.end_ms is not None
        return self.summary.end_ms

    @property
    def cuts(self) -> dict[str, dict[str, Any]]:
        """Published cuts by version."""
        return {chunk.version: json.loads(chunk.body) for chunk in self.chunks if chunk.kind == "cuts"}


@contextmanager
def replayed(brokers: str, path: Path, folder: Path, flow: dict[str, object], *, is_whole: bool) -> Iterator[Ran]:
    """Inside it the topics of the replay can be looked at."""
    place = make_place(
        brokers,
        folder.name,
        folder,
        reporting_time_zone=ZONE,
        reporting_currency=CURRENCY,
        touchpoint_partitions=4,
        journal_partitions=4,
        flows=(flow,),
        # a cut that is held back by a dead band follows from the weeks before too; without one each week's cuts
        # are what its own panel rows give
        cuts_dead_band=0,
    )
    with a_worker(place):
        summary = play(place, open_source(path, load_mapping("online_retail")))
        yield _looked_at(place, summary, read_batch(path), is_whole=is_whole)


def first_weeks(whole: Path, path: Path) -> Path:
    """The file's first lines, up to a date in their fifth column; no text in it holds a line's end."""
    with gzip.open(whole, "rb") as lines, path.open("wb") as cut:
        for line in lines:
            if f",{SIX_WEEKS_END} ".encode() in line:
                return path
            cut.write(line)
    raise AssertionError(f"{whole} does not reach {SIX_WEEKS_END}")


def _looked_at(place: Place, summary: ReplaySummary, batch: Batch, *, is_whole: bool) -> Ran:
    journal = list(place.messages("journal"))
    records = [(message, SINGLE_OBJECT.decode(message.value() or b"")) for message in journal]
    facts = place.records("facts", Facts)
    counts: Counter[str] = Counter()
    for each in facts:
        for count in each.counts:
            counts[count.name] += count.value
    return Ran(
        place,
        summary,
        batch,
        is_whole,
        {key.removeprefix("u:"): view for key, view in place.last("profiles", ProfileView).items()},
        [record for message, record in records if message.partition() == 0 and isinstance(record, ModelChunk)],
        [record for message, record in records if message.partition() == 0 and isinstance(record, ModelTick)],
        [row for each in facts for row in each.panel],
        counts,
        sum(
            isinstance(record, Touchpoint) and "hops" not in dict(message.headers() or ())
            for message, record in records
        ),
    )
