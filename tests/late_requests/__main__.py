"""`python -m tests.late_requests N`: until N transactions went through the proxy; build/late_requests adds runs up."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from streams.demo.servers.places import PROJECT
from tests.chaos.rounds import Order, run_round
from tests.late_requests.lab import Unguarded, Worker, a_lab, check, harm
from tests.support.late_requests import ENDS, STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.late_requests.lab import Lab
    from tests.support.late_requests import Manner

RUNS = PROJECT / "build" / "late_requests" / "runs.jsonl"
_TOGETHER = 250
"""Transactions of one worker, on topics of its own."""
_ROUND_FAULTS = 10
_MANNERS: tuple[Manner, ...] = ("reset", "reset", "hang", "any", "reset", "reset", "reset", "reset")
_console = Console(highlight=False, soft_wrap=True)


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker's transactions have shown."""

    seed: int
    number: int
    guarded: bool
    manner: str
    transactions: int
    committed: int
    hit: int
    """A late request came while a later transaction was open."""
    late: dict[str, int]
    ends: int
    """Times that the worker ended, and another one went on."""
    seconds: float
    broken: list[str]
    """What does not hold, of which transaction."""


def main() -> int:
    asked = _arguments()
    lots = [each for each in _kept() if each.guarded != asked.unguarded]
    seed = SystemRandom().randrange(1, 1 << 20) if asked.seed is None else asked.seed
    number = sum(each.seed == seed for each in lots)
    if asked.workers:
        return int(not _note(lots, _workers(seed, number)))
    with a_lab(asked.share, seed) as lab:
        while sum(each.transactions for each in lots) < asked.transactions:
            is_ok = _note(lots, _a_lot(lab, seed, number, guarded=not asked.unguarded))
            if not is_ok:
                return 1
            number += 1
    _console.print(sentence(lots))
    return int(any(each.broken for each in lots) != asked.unguarded)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.late_requests", description=__doc__)
    parser.add_argument("transactions", type=int, help="in all runs together")
    parser.add_argument("--seed", type=int, default=None, help="decides which requests are late, and how")
    parser.add_argument("--share", type=float, default=0.12, help="of the requests that end transactions")
    parser.add_argument("--workers", action="store_true", help="one round of real workers instead")
    parser.add_argument("--unguarded", action="store_true", help="without the guard: something must be broken")
    return parser.parse_args()


def _a_lot(lab: Lab, seed: int, number: int, *, guarded: bool) -> Lot:
    began = time.monotonic()
    lab.proxy.manner = _MANNERS[number % len(_MANNERS)]
    lab.proxy.holdable = STEPS if number % 3 == 2 else ENDS
    lab.proxy.counts.clear()
    with tempfile.TemporaryDirectory() as folder:
        kind = () if guarded else (Unguarded,)
        worker = Worker(lab, f"late-{seed}-{number}", Path(folder), *kind)
        if guarded:
            worker.work(_TOGETHER)
            found = check(worker, lab.broker.bootstrap)
        else:
            found = harm(lab, worker, _TOGETHER)
    counts = lab.proxy.counts
    return Lot(
        seed=seed,
        number=number,
        guarded=guarded,
        manner=lab.proxy.manner,
        transactions=_TOGETHER,
        committed=len(worker.ended.committed),
        hit=counts["within"],
        late={name.removeprefix("held "): count for name, count in sorted(counts.items()) if name.startswith("held ")},
        ends=len(worker.ended.ends),
        seconds=round(time.monotonic() - began, 1),
        broken=[f"{name} {each}" for name, numbers in found._asdict().items() for each in numbers],
    )


def _workers(seed: int, number: int) -> Lot:
    """Whole workers behind the proxy, compared with a calm run."""
    began = time.monotonic()
    folder = RUNS.parent / f"{seed}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    order = Order(seed, number, 0, kinds=("late requests",) * _ROUND_FAULTS)
    found = run_round(order, folder, _console.print)
    if not found.broken:
        shutil.rmtree(folder)
    return Lot(
        seed=seed,
        number=number,
        guarded=True,
        manner=f"{found.workers} workers",
        transactions=found.notes["transactions"],
        committed=found.notes["transactions"],
        hit=found.notes["late requests within a later transaction"],
        late={"of workers": found.notes["late requests"]},
        ends=sum(found.exits.values()),
        seconds=round(time.monotonic() - began, 1),
        broken=found.broken,
    )


def _note(lots: list[Lot], lot: Lot) -> bool:
    """Keep it; whether all holds that must."""
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    with RUNS.open("ab") as runs:
        runs.write(msgspec.json.encode(lot) + b"\n")
    lots.append(lot)
    _console.print(f"seed {lot.seed}, {lot.number}: {lot.manner}, {lot.seconds:.0f} s; {sentence(lots)}")
    if lot.broken:
        _console.print(lot.broken)
    return not (lot.broken and lot.guarded)


def _kept() -> list[Lot]:
    lines = RUNS.read_bytes().splitlines() if RUNS.exists() else []
    return [msgspec.json.decode(line, type=Lot) for line in lines]


def sentence(lots: Sequence[Lot]) -> str:
    """The sum of lots."""
    return (
        f"{sum(each.transactions for each in lots):,} transactions, {sum(sum(each.late.values()) for each in lots):,}"
        f" late requests, {sum(each.hit for each in lots):,} of them within a later transaction,"
        f" {sum(each.ends for each in lots)} worker ends:"
        f" {sum(len(each.broken) for each in lots)} torn, lost, doubled or set back"
    )


if __name__ == "__main__":
    sys.exit(main())
