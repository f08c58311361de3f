"""`make bench`: floor, profiles stage and whole pipeline in one run; figures in build/bench/results.json."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

from rich.console import Console
from rich.table import Table

from streams.demo.broker import Broker
from tests.bench import floor, product
from tests.bench.mix import STATED

OUT = Path("build/bench")
ROUNDS = 1
EVENTS = 200_000


def main() -> None:
    """Runs floor, stage, pipeline, in turn, ROUNDS times; prints medians and ratios to the floor."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    rows: dict[str, list[float]] = {"floor-decode": [], "profiles stage": [], "whole pipeline": []}
    costs: dict[str, list[product.Measured]] = {"profiles stage": [], "whole pipeline": []}
    with Broker() as broker:
        floor.fill(broker.bootstrap)
        for number in range(ROUNDS):
            rows["floor-decode"].append(floor.measure(broker.bootstrap, OUT))
            for name, is_whole in (("profiles stage", False), ("whole pipeline", True)):
                prefix = f"bench-{name.split()[0]}-{number}"
                measured = product.stage(broker.bootstrap, prefix, OUT, EVENTS, is_whole=is_whole)
                rows[name].append(measured.events_per_second)
                costs[name].append(measured)
    _report(rows, costs)


def _report(rows: dict[str, list[float]], costs: dict[str, list[product.Measured]]) -> None:
    base = statistics.median(rows["floor-decode"])
    table = Table(title=f"events per second on one core, exactly once ({STATED}; {EVENTS:,} touchpoints, one flow)")
    for column in ("what", "events/s (median)", "least - most", "ratio to floor", "CPU us an event", "RSS MB"):
        table.add_column(column, justify="left" if column == "what" else "right")
    results = []
    for name, values in rows.items():
        median = statistics.median(values)
        of = costs.get(name, [])
        cpu = f"{statistics.median(m.cpu_us_per_event for m in of):.1f}" if of else ""
        rss = f"{max(m.rss_mb for m in of):.0f}" if of else ""
        spread = f"{min(values):,.0f} - {max(values):,.0f}"
        table.add_row(name, f"{median:,.0f}", spread, f"{median / base:.2f}", cpu, rss)
        results.append({"name": name, "value": median, "floor": base, "ratio": median / base})
    Console(width=130).print(table)
    (OUT / "results.json").write_text(json.dumps(results, indent=2), "utf-8")


if __name__ == "__main__":
    main()
