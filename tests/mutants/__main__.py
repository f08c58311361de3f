"""`make mutants`: look for a seed that shows each mutant; the same again goes on where it was interrupted."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from streams.demo.servers.places import PROJECT
from tests.mutants import FOUND, MUTANTS, NOT_FOUND, found_seeds
from tests.mutants.looking import Look, look
from tests.simulation.quiet import begin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.pool import Pool

TRIED = PROJECT / "build" / "mutants.json"
_TOGETHER = 25
"""Seeds of a mutant before the next one has its turn."""
_console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="for each mutant")
    parser.add_argument("--only", nargs="*", default=list(MUTANTS), choices=list(MUTANTS), metavar="MUTANT")
    parser.add_argument("--again", action="store_true", help="also those of which a seed is kept")
    asked = parser.parse_args()
    tried = {} if asked.again else _tried()
    wanted = list(asked.only)
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(2, os.cpu_count() or 1), begin) as pool:
        if not asked.again:
            wanted = _still_wanted(pool, wanted)
        while left := [
            Look(name, tried.get(name, 0), _TOGETHER) for name in wanted if tried.get(name, 0) < asked.seeds
        ]:
            for looked in pool.imap_unordered(look, left):
                if looked.found is None:
                    tried[looked.mutant] = looked.first + looked.seeds
                else:
                    wanted.remove(looked.mutant)
                    _keep({**found_seeds(), looked.mutant: looked.found})
                    _console.print(f"{looked.mutant}: seed {looked.found}")
                TRIED.parent.mkdir(parents=True, exist_ok=True)
                TRIED.write_bytes(msgspec.json.format(msgspec.json.encode(tried), indent=1))
    _console.print(_table(tried))
    return int(bool(MUTANTS.keys() - found_seeds().keys() - NOT_FOUND))


def _still_wanted(pool: Pool, names: list[str]) -> list[str]:
    """Play the seeds that were kept; those of a mutant that they show no more are forgotten."""
    kept = found_seeds()
    looked = pool.map(look, [Look(name, kept[name], 1) for name in names if name in kept], 1)
    shown = {each.mutant for each in looked if each.found is not None}
    gone = {each.mutant for each in looked} - shown
    if gone:
        _console.print(f"shown no more by the seed that was kept: {', '.join(sorted(gone))}")
        _keep({name: seed for name, seed in kept.items() if name not in gone})
    return [name for name in names if name not in shown]


def _tried() -> dict[str, int]:
    return msgspec.json.decode(TRIED.read_bytes(), type=dict[str, int]) if TRIED.exists() else {}


def _keep(found: dict[str, int]) -> None:
    ordered = {name: found[name] for name in MUTANTS if name in found}
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")


def _table(tried: dict[str, int]) -> Table:
    found = found_seeds()
    shown = Table("mutant", "what is wrong", "found at seed")
    for name, what, seed in _rows(tried):
        shown.add_row(name, what, seed)
    shown.caption = f"{len(found)} of {len(MUTANTS)} found"
    return shown


def _rows(tried: dict[str, int]) -> Iterator[tuple[str, str, str]]:
    found = found_seeds()
    for name, mutate in MUTANTS.items():
        seed = str(found[name]) if name in found else f"not in {tried.get(name, 0)} seeds"
        yield name, (mutate.__doc__ or "").splitlines()[0], seed


if __name__ == "__main__":
    sys.exit(main())
