"""What the benchmarks found, in one file: a later run of one replaces its own lines only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

OUT = Path("build/bench")


class Figure(NamedTuple):
    """One measured value beside the floor that was taken in the same run; the name has the unit."""

    name: str
    value: float
    floor: float
    floor_is: str


def keep(title: str, figures: list[Figure]) -> None:
    """Prints the figures and puts them into build/bench/results.json."""
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "results.json"
    names = {figure.name for figure in figures}
    kept = json.loads(file.read_text("utf-8")) if file.exists() else []
    rows = [row for row in kept if row["name"] not in names]
    table = Table(title=title)
    for column in ("what", "value", "floor", "ratio", "the floor is"):
        table.add_column(column, justify="right" if column in {"value", "floor", "ratio"} else "left")
    for name, value, floor, floor_is in figures:
        ratio = value / floor
        rows.append({"name": name, "value": value, "floor": floor, "ratio": ratio})
        table.add_row(name, f"{value:,.2f}", f"{floor:,.2f}", f"{ratio:,.2f}", floor_is)
    file.write_text(json.dumps(rows, indent=2), "utf-8")
    Console(width=130).print(table)
