"""`make bench-yardstick`: floor, engine and installed peers in turn; figures go into build/bench/results.json."""

from __future__ import annotations

import json
import shutil
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from streams.demo.broker import Broker
from tests.bench import floor
from tests.bench.yardstick import measure, peers

if TYPE_CHECKING:
    from collections.abc import Callable

OUT = Path("build/bench/yardstick")
RESULTS = OUT.parent / "results.json"
ROUNDS = 3
FLOOR, ONE, TWO = "yardstick: floor-decode", "yardstick: one worker", "yardstick: two workers on one core"


class Row(NamedTuple):
    """One way of doing the job, in one round; `ratio` is to that round's floor."""

    events_per_second: float
    ratio: float
    cpu_us_per_event: float
    rss_mb: float = 0.0
    settled_cpu_us_per_event: float = 0.0


def main() -> None:
    """Every way in turn, ROUNDS times; medians."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    rows: dict[str, list[Row]] = {}
    with Broker() as broker:
        brokers = broker.bootstrap
        floor.fill(brokers)
        ways: dict[str, Callable[[str, str, Path], measure.Run | peers.PeerRun]] = {
            ONE: measure.run,
            TWO: partial(measure.run, workers=2),
        }
        for title, command in peers.commands().items():
            ways[f"yardstick: {title}"] = partial(peers.run, command=command)
        for number in range(ROUNDS):
            base = floor.run(brokers, OUT)
            rows.setdefault(FLOOR, []).append(Row(base.events_per_second, 1.0, base.cpu_us_per_event))
            for place, (title, way) in enumerate(ways.items()):
                name = f"yardstick-{place}-{number}"
                rate, *costs = way(brokers, name, OUT / name)
                rows.setdefault(title, []).append(Row(rate, rate / base.events_per_second, *costs))
    _report(rows)


def _report(rows: dict[str, list[Row]]) -> None:
    table = Table(
        title=f"touchpoint-rfm, {floor.MESSAGES:,} touches, one core, output checked record for record",
        caption=f"medians of {ROUNDS} rounds; a ratio is to its round's floor; settled: since all workers had a share",
    )
    for column in ("what", "events/s", "ratio to floor", "least - most", "CPU us an event", "settled", "peak RSS MB"):
        table.add_column(column, justify="left" if column == "what" else "right")
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    results = [result for result in results if result["name"] not in rows]
    base = statistics.median(row.events_per_second for row in rows[FLOOR])
    for name, values in rows.items():
        rate, ratio, cpu, rss, settled = (statistics.median(column) for column in zip(*values, strict=True))
        ratios = [row.ratio for row in values]
        spread = f"{min(ratios):.2f} - {max(ratios):.2f}"
        own = f"{settled:.1f}" if settled else ""
        table.add_row(name, f"{rate:,.0f}", f"{ratio:.2f}", spread, f"{cpu:.1f}", own, f"{rss:.0f}" if rss else "")
        results.append({"name": name, "value": rate, "floor": base, "ratio": ratio})
    Console(width=130).print(table)
    more = _settled(rows[TWO]) / _settled(rows[ONE])
    Console().print(f"CPU an event, two workers to one: {more:.2f}")
    RESULTS.write_text(json.dumps(results, indent=2), "utf-8")


def _settled(rows: list[Row]) -> float:
    return statistics.median(row.settled_cpu_us_per_event for row in rows)


if __name__ == "__main__":
    main()
