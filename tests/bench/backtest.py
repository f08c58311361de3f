"""`python -m tests.bench.backtest`: CPU an event of a backtest from a file, beside the profiles stage of a worker."""

from __future__ import annotations

import shutil
import statistics
import time
from typing import TYPE_CHECKING

from schemas.journal import Configured
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.broker import Broker
from streams.flows.files import library_documents
from streams.fold import journal_headers
from streams.prefix import partition_of_key
from streams.replay.backtest import Trial, backtest
from streams.replay.journal_file import FileRecord, JournalFile, write_journal
from streams.replay.sendings import Sendings
from streams.settings import DomainSettings
from tests.bench import product
from tests.bench.mix import clickstream, touchpoints
from tests.bench.results import OUT, Figure, keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from schemas.touchpoint import Touchpoint

EVENTS = 100_000
ROUNDS = 3
FOR_EVER_MS = 1 << 62
MIXES: dict[str, Callable[[int], Iterable[Touchpoint]]] = {"clickstream": clickstream, "made shop": touchpoints}


def main() -> None:
    """Measures both in turn, ROUNDS times, and prints medians; the rate a core is the ratio turned round."""
    folder = OUT / "backtest"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    figures = []
    with Broker() as broker:
        for place, (name, events) in enumerate(MIXES.items()):
            path = folder / f"{place}.avro"
            write_journal(path, _records(events(EVENTS)))
            live, past = [], []
            for number in range(ROUNDS):
                prefix = f"bench-backtest-{place}-{number}"
                live.append(product.stage(broker.bootstrap, prefix, folder, events(EVENTS), is_whole=False))
                past.append(_cpu_us(path))
            live_us = statistics.median(measured.cpu_us_per_event for measured in live)
            title = f"backtest, {name}: CPU us an event"
            figures.append(Figure(title, statistics.median(past), live_us, "the profiles stage of a worker"))
    keep(f"a backtest from a file, one flow, {EVENTS:,} touchpoints, beside a worker; wanted: 0.67 or less", figures)


def _records(events: Iterable[Touchpoint]) -> Iterator[FileRecord]:
    """As the worker's topics are filled: the settings, then the touchpoints, by partition."""
    domain = DomainSettings(clock="marks", consent_default="granted", flows=library_documents())
    configured = SINGLE_OBJECT.encode(Configured(domain.model_dump_json(), 0))
    partitions = [[FileRecord(number, 0, 0, None, configured, {})] for number in range(product.PARTITIONS)]
    for event in events:
        key = key_of(event) or b""
        number = partition_of_key(key, product.PARTITIONS)
        own, headers = partitions[number], dict(journal_headers(event.time_ms))
        own.append(FileRecord(number, len(own), event.time_ms, key, SINGLE_OBJECT.encode(event), headers))
    for own in partitions:
        yield from own


def _cpu_us(path: Path) -> float:
    begun = time.process_time()
    trial = Trial(library_documents(), 0, FOR_EVER_MS)
    folded = backtest(JournalFile(path), SINGLE_OBJECT, trial, Sendings(0, FOR_EVER_MS))
    return (time.process_time() - begun) / folded.records * 1e6


if __name__ == "__main__":
    main()
