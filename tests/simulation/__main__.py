"""`make simulate SEEDS=n SEED=first`: many cases on every core; the first broken one is shrunken and shown."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from rich.console import Console
from rich.progress import track

from tests.simulation.checking import find, find_of
from tests.simulation.quiet import begin, quiet
from tests.simulation.report import shown
from tests.simulation.shrinking import shrunken

_TOGETHER = 10


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("seeds", type=int, help="how many")
    arguments.add_argument("seed", type=int, help="the first")
    given = arguments.parse_args()
    console, began_s = Console(), time.monotonic()
    quiet()
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), begin) as pool:
        found = pool.imap(find_of, range(given.seed, given.seed + given.seeds), _TOGETHER)
        for finding in track(found, "simulating", given.seeds, console=console):
            if finding is not None:
                pool.terminate()
                smaller = shrunken(finding.case, lambda case: find(case) is not None)
                console.print(shown(finding, find(smaller) or finding), markup=False, highlight=False)
                return 1
    took_s = time.monotonic() - began_s
    console.print(f"{given.seeds} seeds from {given.seed}: nothing lost, nothing twice ({took_s:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
