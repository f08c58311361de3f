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

from streams.demo.broker import Broker
from tests.bench import floor, product
from tests.bench.flow_sets import HUNDRED_ARE, ONE, TEN, hundred
from tests.bench.mix import CLICKSTREAM, SHOP, clickstream, touchpoints
from tests.support.compiled import compile_product, has_compiler

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


def main() -> None:
    """Runs the floor and every stage, in turn, ROUNDS times; prints medians and ratios to the floor."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    forms: dict[str, Path | None] = {"interpreted": None}
    if has_compiler():
        forms = {"compiled": compile_product(OUT / "compiled"), **forms}
    else:
        Console().print("There is no C compiler here (cc): the product is measured interpreted only.")
    names = [f"{name}, {form}" for name in STAGES for form in forms]
    rows: dict[str, list[float]] = {FLOOR: [], **{name: [] for name in names}}
    costs: dict[str, list[product.Measured]] = {name: [] for name in names}
    with Broker() as broker:
        floor.fill(broker.bootstrap)
        for number in range(ROUNDS):
            rows[FLOOR].append(floor.measure(broker.bootstrap, OUT))
            for name, (stage, form) in zip(names, itertools.product(STAGES.values(), forms), strict=True):
                measured = product.stage(
                    broker.bootstrap, f"bench-{names.index(name)}-{number}", OUT, stage.events(EVENTS),
                    is_whole=stage.is_whole, flows=stage.flows, compiled=forms[form],
                )  # fmt: skip
                rows[name].append(measured.events_per_second)
                costs[name].append(measured)
    _report(rows, costs)


def _report(rows: dict[str, list[float]], costs: dict[str, list[product.Measured]]) -> None:
    base = statistics.median(rows[FLOOR])
    table = Table(
        title=f"events per second on one core, exactly once, {EVENTS:,} touchpoints; one flow unless said",
        caption=f"clickstream: {CLICKSTREAM}\n{SHOP}\nhundred flows: {HUNDRED_ARE}",
    )
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
