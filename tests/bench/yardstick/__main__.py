"""`make bench-yardstick`: floor, engine and installed peers in turn; figures go into build/bench/results.json."""

from __future__ import annotations

import shutil
import statistics
from functools import partial
from typing import TYPE_CHECKING

from streams.demo.servers.broker import Broker
from tests.bench import floor
from tests.bench.results import OUT, Figure, keep
from tests.bench.yardstick import measure, peers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = (OUT / "yardstick").resolve()
ROUNDS = 3
ONE, TWO = "one worker", "two workers on one core"
RSS_MB_MAX = 250.0


def main() -> None:
    """Every way in turn, ROUNDS times; medians."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    floors: list[floor.Floor] = []
    with Broker() as broker:
        brokers = broker.bootstrap
        floor.fill(brokers)
        ways: dict[str, Callable[[str, str, Path], measure.Run]] = {}
        ways |= {ONE: measure.run, TWO: partial(measure.run, workers=2)}
        for title, command in peers.commands().items():
            ways[title] = partial(peers.run, command=command)
        runs: dict[str, list[measure.Run]] = {title: [] for title in ways}
        for number in range(ROUNDS):
            floors.append(floor.run(brokers, FOLDER))
            for place, (title, way) in enumerate(ways.items()):
                name = f"yardstick-{place}-{number}"
                runs[title].append(way(brokers, name, FOLDER / name))
    title = f"touchpoint-rfm, {floor.MESSAGES:,} touches, one core, output checked record for record"
    keep(title, _figures(floors, runs))


def _figures(floors: list[floor.Floor], runs: dict[str, list[measure.Run]]) -> list[Figure]:
    base, base_cpu = (statistics.median(column) for column in zip(*floors, strict=True))
    found = []
    settled = {}
    for title, of_way in runs.items():
        rate, cpu, rss, settled[title] = (statistics.median(column) for column in zip(*of_way, strict=True))
        found += [
            Figure(f"yardstick, {title}: events/s", rate, base, "floor-decode"),
            Figure(f"yardstick, {title}: CPU us an event", cpu, base_cpu, "floor-decode"),
            Figure(f"yardstick, {title}: peak RSS MB", rss, RSS_MB_MAX, "the goal for one worker"),
        ]
    more = "yardstick, two workers: CPU us an event, since both had their share"
    return [*found, Figure(more, settled[TWO], settled[ONE], "one worker")]


if __name__ == "__main__":
    main()
