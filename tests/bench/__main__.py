"""`make bench`: floor, profiles stage and whole pipeline in one run; figures in build/bench/results.json."""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from streams.demo.servers.broker import Broker
from tests.bench import floor, product
from tests.bench.flow_sets import HUNDRED_ARE, ONE, hundred
from tests.bench.mix import CLICKSTREAM, SHOP, clickstream, touchpoints
from tests.support.compiled import compile_product, has_compiler
from tests.support.flows import TEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import JsonValue

    from schemas.touchpoint import Touchpoint

OUT = Path("build/bench")
ROUNDS = 3
EVENTS = 150_000
FLOOR = "floor-decode"


class Stage(NamedTuple):
    """What a worker goes through."""

    events: Callable[[int], Iterable[Touchpoint]]
    is_whole: bool = False
    flows: tuple[dict[str, JsonValue], ...] = ONE


STAGES = {
    "profiles stage, clickstream": Stage(clickstream),
    "profiles stage, clickstream, ten flows": Stage(clickstream, flows=TEN),
    "profiles stage, clickstream, hundred flows": Stage(clickstream, flows=hundred()),
    "profiles stage, made shop": Stage(touchpoints),
    "profiles stage, made shop, ten flows": Stage(touchpoints, flows=TEN),
    "profiles stage, made shop, hundred flows": Stage(touchpoints, flows=hundred()),
    "whole pipeline, clickstream": Stage(clickstream, is_whole=True),
    "whole pipeline, made shop": Stage(touchpoints, is_whole=True),
}


class Run(NamedTuple):
    """Of a stage, and of the floor just before it: the machine's speed drifts by half within minutes."""

    measured: product.Measured
    floor: float

    @property
    def ratio(self) -> float:
        return self.measured.events_per_second / self.floor


def main() -> None:
    """Runs the floor and every stage, in turn, ROUNDS times; prints medians, also of the ratios to the floor."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    forms: dict[str, Path | None] = {"interpreted": None}
    if has_compiler():
        forms = {"compiled": compile_product(OUT / "compiled"), **forms}
    else:
        Console().print("There is no C compiler here (cc): the product is measured interpreted only.")
    runs: dict[str, list[Run]] = {f"{name}, {form}": [] for name in STAGES for form in forms}
    floors = []
    with Broker() as broker:
        floor.fill(broker.bootstrap)
        for _, (name, stage) in itertools.product(range(ROUNDS), STAGES.items()):
            floors.append(floor.measure(broker.bootstrap, OUT))
            for form, compiled in forms.items():
                measured = product.stage(
                    broker.bootstrap,
                    f"bench-{len(floors)}-{form}",
                    OUT,
                    stage.events(EVENTS),
                    is_whole=stage.is_whole,
                    flows=stage.flows,
                    compiled=compiled,
                )
                runs[f"{name}, {form}"].append(Run(measured, floors[-1]))
    _report(floors, runs)


def _report(floors: list[float], runs: dict[str, list[Run]]) -> None:
    base = statistics.median(floors)
    table = Table(
        title=f"events per second on one core, exactly once, {EVENTS:,} touchpoints; one flow unless said",
        caption=f"clickstream: {CLICKSTREAM}\n{SHOP}\nhundred flows: {HUNDRED_ARE}",
    )
    for column in ("what", "events/s (median)", "least - most", "ratio to floor", "CPU us an event", "RSS MB"):
        table.add_column(column, justify="left" if column == "what" else "right")
    table.add_row(FLOOR, f"{base:,.0f}", f"{min(floors):,.0f} - {max(floors):,.0f}", "1.00", "", "")
    results = [{"name": FLOOR, "value": base, "floor": base, "ratio": 1.0}]
    for name, of in runs.items():
        rates = [run.measured.events_per_second for run in of]
        value, ratio = statistics.median(rates), statistics.median(run.ratio for run in of)
        cpu = statistics.median(run.measured.cpu_us_per_event for run in of)
        rss = max(run.measured.rss_mb for run in of)
        spread = f"{min(rates):,.0f} - {max(rates):,.0f}"
        table.add_row(name, f"{value:,.0f}", spread, f"{ratio:.2f}", f"{cpu:.1f}", f"{rss:.0f}")
        results.append(
            {
                "name": name,
                "value": value,
                "floor": statistics.median(run.floor for run in of),
                "ratio": ratio,
            }
        )
    Console(width=130).print(table)
    (OUT / "results.json").write_text(json.dumps(results, indent=2), "utf-8")


if __name__ == "__main__":
    main()
