"""`python -m tests.bench.backtest`: CPU an event of a backtest from a file, beside the profiles stage of a worker."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from schemas.journal import RULES, Configured
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.servers.broker import Broker
from streams.flows.language.files import library_documents
from streams.fold.record import journal_headers
from streams.kafka.partitioner import partition_of_key
from streams.offline.journal_file import write_journal
from streams.settings import DomainSettings
from tests.bench import product
from tests.bench.mix import clickstream, touchpoints
from tests.bench.results import OUT, Figure, keep
from tests.support.compiled import compile_product, has_compiler
from tests.support.kept import Kept, KeptJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from schemas.touchpoint import Touchpoint

EVENTS = 100_000
ROUNDS = 3
MIXES: dict[str, Callable[[int], Iterable[Touchpoint]]] = {"clickstream": clickstream, "made shop": touchpoints}
BACKTEST = """
import sys, time
from pathlib import Path
from schemas.wire import SINGLE_OBJECT
from streams.flows.language.files import library_documents
from streams.engine.garbage import collect_rarely
from streams.offline.backtest import backtest
from streams.offline.trial import Past, Trial
from streams.offline.journal_file import JournalFile
from streams.offline.sendings import Sendings
collect_rarely()
begun, for_ever_ms = time.process_time(), 1 << 62
trial = Trial(library_documents(), 0, for_ever_ms)
folded = backtest(Past(JournalFile(Path(sys.argv[1])), SINGLE_OBJECT), trial, Sendings(0, for_ever_ms))
print((time.process_time() - begun) / folded.records * 1e6)
"""


def main() -> None:
    """Measures both in turn, ROUNDS times, and prints medians; the rate a core is the ratio turned round."""
    folder = OUT / "backtest"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    forms = {"interpreted": None} | ({"compiled": compile_product(folder / "compiled")} if has_compiler() else {})
    figures = []
    with Broker() as broker:
        for place, (mix, events) in enumerate(MIXES.items()):
            path = folder / f"{place}.avro"
            write_journal(path, KeptJournal(list(_records(events(EVENTS)))))
            measured: dict[str, list[tuple[float, float]]] = {form: [] for form in forms}
            for number in range(ROUNDS):
                for form, product_path in forms.items():
                    live = product.stage(
                        broker.bootstrap,
                        f"bench-backtest-{place}-{form}-{number}",
                        folder,
                        events(EVENTS),
                        is_whole=False,
                        compiled=product_path,
                    )
                    measured[form].append((_cpu_us(path, product_path), live.cpu_us_per_event))
            for form, pairs in measured.items():
                past_us, live_us = (statistics.median(column) for column in zip(*pairs, strict=True))
                title = f"backtest, {mix}, {form}: CPU us an event"
                figures.append(Figure(title, past_us, live_us, "the profiles stage of a worker"))
    keep(f"a backtest from a file, one flow, {EVENTS:,} touchpoints, beside a worker; wanted: 0.67 or less", figures)


def _records(events: Iterable[Touchpoint]) -> Iterator[Kept]:
    """As the worker's topics are filled: the settings, then the touchpoints, by partition."""
    domain = DomainSettings(clock="marks", consent_default="granted", flows=library_documents())
    configured = SINGLE_OBJECT.encode(Configured(domain.model_dump_json(), 0, RULES))
    ends = [1] * product.PARTITIONS
    for number in range(product.PARTITIONS):
        yield Kept(None, configured, kept_partition=number)
    for event in events:
        key = key_of(event) or b""
        number = partition_of_key(key, product.PARTITIONS)
        yield Kept(key, SINGLE_OBJECT.encode(event), journal_headers(event.time_ms), ends[number], number)
        ends[number] += 1


def _cpu_us(path: Path, compiled: Path | None) -> float:
    environment = dict(os.environ)
    if compiled is not None:
        environment |= {"PYTHONPATH": str(compiled.resolve()), "PYTHONSAFEPATH": "1"}
    command = ["taskset", "-c", "0", sys.executable, "-c", BACKTEST, str(path.resolve())]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
