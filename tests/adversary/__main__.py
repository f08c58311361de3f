"""python -m tests.adversary [--records N] [--seed S] [--folder F] [--kafka]: runs add up in the folder.

The records of a run are those of its seed and of what earlier runs in the folder have counted: each block of
BLOCK records has a seed of its own and a fresh state, so that a block can be run again alone. --kafka plays the WORST
records of all runs in the folder through a worker on a real Kafka.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import resource
import sys
from operator import itemgetter
from pathlib import Path
from random import Random

import msgspec

from schemas.units import DAY_MS, HOUR_MS
from schemas.wire import SINGLE_OBJECT
from tests.adversary.attacks import Attack
from tests.adversary.door import START_MS
from tests.adversary.on_kafka import play_worst
from tests.adversary.pipeline import Cost, Most, Pipeline
from tests.support.flows import TEN

Worst = tuple[int, int, bytes]
"""(cost, number over all blocks, the record): the cost is the share of a step's allowance, in millionths."""

BLOCK = 20_000
WORST = 10_000
STEP_MS = 2_000
TIME_EVERY = 500
IDLE_EVERY = 5_000


class Totals(msgspec.Struct):
    """What all runs in the folder have seen."""

    seed: int
    blocks: int = 0
    records: int = 0
    letters: dict[str, int] = {}
    most: dict[str, int] = {}
    where: dict[str, str] = {}
    rss_mb: list[int] = []
    """After each block."""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.adversary", description=__doc__)
    options.add_argument("--records", type=int, default=BLOCK)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder", type=Path, default=Path("build/adversary"))
    options.add_argument("--kafka", action="store_true")
    chosen = options.parse_args()
    if chosen.kafka:
        kept_worst = [_read_worst(path) for path in sorted(chosen.folder.glob("worst-*.bin"))]
        worst_of_all = heapq.nlargest(WORST, [each for some in kept_worst for each in some])
        sys.exit(not play_worst([value for _, _, value in sorted(worst_of_all, key=itemgetter(1))]))
    chosen.folder.mkdir(parents=True, exist_ok=True)
    kept = chosen.folder / f"totals-{chosen.seed}.json"
    totals = msgspec.json.decode(kept.read_bytes(), type=Totals) if kept.exists() else Totals(chosen.seed)
    goal = totals.records + chosen.records
    while totals.records < goal:
        worst = run_block(totals, min(BLOCK, goal - totals.records))
        _keep_worst(chosen.folder / f"worst-{chosen.seed}.bin", worst)
        kept.write_bytes(msgspec.json.format(msgspec.json.encode(totals)))
        sys.stderr.write(f"seed {chosen.seed}: {totals.records:,} records\n")
    sys.stdout.write(json.dumps(msgspec.to_builtins(totals), indent=2) + "\n")


def run_block(totals: Totals, records: int) -> list[Worst]:
    """Run one block and add to the totals; return the worst records as (cost, number, bytes)."""
    random = Random(f"{totals.seed}/{totals.blocks}")
    most = Most(dict(totals.most), dict(totals.where))
    attack, pipeline = Attack(random), Pipeline(most, flows=[msgspec.to_builtins(flow) for flow in TEN])
    worst: list[Worst] = []
    now_ms = START_MS
    # what is counted is the work of one record: the collector of the interpreter looks at all objects of this program
    gc.disable()
    for number in range(records):
        now_ms += random.randrange(STEP_MS)
        event = attack.next(now_ms)
        value = SINGLE_OBJECT.encode(event)
        cost = pipeline.send(f"block {totals.blocks} record {number} {event.type}", value, now_ms)
        attack.learn(event.type, cost.output_bytes)
        if not cost.refused:
            entry = (_share_of_allowance(cost), totals.records + number, value)
            if len(worst) < WORST:
                heapq.heappush(worst, entry)
            else:
                heapq.heappushpop(worst, entry)
        if number % TIME_EVERY == 0:
            pipeline.pass_time(now_ms - 1_000)
            gc.collect()
        if number % IDLE_EVERY == IDLE_EVERY - 1:
            now_ms += random.choice((HOUR_MS, DAY_MS, 40 * DAY_MS, 400 * DAY_MS))
            pipeline.pass_time(now_ms - 1_000)
    pipeline.commit()
    totals.most, totals.where = most.values, most.where
    for reason, count in pipeline.letters.items():
        totals.letters[reason] = totals.letters.get(reason, 0) + count
    totals.blocks += 1
    totals.records += records
    gc.collect()
    totals.rss_mb.append(_rss_bytes() // 1_000_000)
    return worst


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _share_of_allowance(cost: Cost) -> int:
    """Return the greater share, in millionths, of what a step may take: 50 ms of thread CPU, or 900 kB of output."""
    return max(cost.cpu_ns // 50, cost.output_bytes * 10 // 9)


def _keep_worst(path: Path, worst: list[Worst]) -> None:
    path.write_bytes(msgspec.msgpack.encode(heapq.nlargest(WORST, [*_read_worst(path), *worst])))


def _read_worst(path: Path) -> list[Worst]:
    return msgspec.msgpack.decode(path.read_bytes(), type=list[Worst]) if path.exists() else []


if __name__ == "__main__":
    main()
