"""Chaos on real Kafka: `python -m tests.chaos --kills 50 --seed 1`; the same again goes on where it was interrupted."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import defaultdict
from random import SystemRandom
from typing import TYPE_CHECKING

from rich.console import Console

from streams.demo.servers.broker import KAFKA_VERSION
from tests.chaos.results import FOLDER, Round, all_kept, keep, kept, sentence, table
from tests.chaos.rounds import Order, run_round

if TYPE_CHECKING:
    from collections.abc import Sequence

KILLS_A_ROUND = 24
_console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Exits with 1 where something was lost, doubled, or a claim does not hold."""
    asked = _arguments()
    rounds = all_kept() if asked.total else _run(asked)
    by_kind: defaultdict[tuple[str, str], list[Round]] = defaultdict(list)
    for each in rounds:
        by_kind[each.guarantee, each.kafka].append(each)
    for (guarantee, kafka), some in sorted(by_kind.items()):
        _console.print(f"\n{guarantee}, Apache Kafka {kafka}: {sentence(some)}")
        _console.print(table(some))
    return int(any(each.broken for each in rounds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help=f"kill -9 of workers, about {KILLS_A_ROUND} a round")
    parser.add_argument("--seed", type=int, default=None, help="decides everything but the machine's timing")
    parser.add_argument("--guarantee", choices=["exactly_once", "at_least_once"], default="exactly_once")
    parser.add_argument("--kafka", default=KAFKA_VERSION, help="version of the broker")
    parser.add_argument("--total", action="store_true", help="only add up what all runs have shown")
    return parser.parse_args()


def _run(asked: argparse.Namespace) -> Sequence[Round]:
    seed = SystemRandom().randrange(1, 1 << 20) if asked.seed is None else asked.seed
    done = [each for each in kept(seed) if (each.guarantee, each.kafka) == (asked.guarantee, asked.kafka)]
    _console.print(f"seed {seed}: {sum(each.kills for each in done)} of {asked.kills} kills done before")
    while (left := asked.kills - sum(each.kills for each in done)) > 0:
        number = len(kept(seed))
        folder = FOLDER / f"{seed}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        order = Order(seed, number, min(left, KILLS_A_ROUND), asked.guarantee, asked.kafka)
        result = run_round(order, folder, lambda text: _console.print(f"round {number}: {text}"))  # noqa: B023
        keep(result)
        done.append(result)
        _console.print(f"round {number}: {result.broken or 'all claims hold'}, {result.notes}, exits {result.exits}")
        if result.broken:
            _console.print(f"its broker, state and logs are in {folder}")
            break
        for large in ("broker/data", "killed/worker-*/state", "calm"):
            for found in folder.glob(large):
                shutil.rmtree(found)
    return done


if __name__ == "__main__":
    sys.exit(main())
