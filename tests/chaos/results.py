"""What rounds have shown, kept so that runs can be resumed and add up."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from streams.demo.servers.places import PROJECT
from tests.chaos.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = PROJECT / "build" / "chaos"
RUNS = FOLDER / "runs.jsonl"


class Fault(msgspec.Struct, frozen=True):
    """`recovery_s`: until every partition had committed again; None if the next fault came before that."""

    kind: str
    at_s: float
    recovery_s: float | None
    kills: int
    """Of workers that ran, by SIGKILL."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One prefix, disturbed and checked; a proof by itself."""

    seed: int
    number: int
    kafka: str
    guarantee: str
    membership: str
    workers: int
    devices: bool
    touchpoints: int
    effects: int
    seconds: float
    faults: list[Fault]
    exits: dict[str, int]
    notes: dict[str, int]
    lost: int
    doubled: int
    broken: list[str]
    """Claims that do not hold."""

    @property
    def kills(self) -> int:
        return sum(fault.kills for fault in self.faults)


def keep(result: Round) -> None:
    """Add it to the file of its seed and to the list of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = _path(result.seed)
    path.write_bytes(msgspec.json.format(msgspec.json.encode([*kept(result.seed), result]), indent=1))
    with RUNS.open("ab") as runs:
        runs.write(msgspec.json.encode(result) + b"\n")


def kept(seed: int) -> list[Round]:
    path = _path(seed)
    return msgspec.json.decode(path.read_bytes(), type=list[Round]) if path.exists() else []


def all_kept() -> list[Round]:
    lines = RUNS.read_bytes().splitlines() if RUNS.exists() else []
    return [msgspec.json.decode(line, type=Round) for line in lines]


def _path(seed: int) -> Path:
    return FOLDER / f"{seed}.json"


def table(rounds: Sequence[Round]) -> Table:
    """Faults by kind, and the seconds from each until all worked again."""
    shown = Table("fault", "survived", "recovery s, median", "largest")
    for kind in KINDS:
        faults = [fault for each in rounds for fault in each.faults if fault.kind == kind]
        seconds = [fault.recovery_s for fault in faults if fault.recovery_s is not None]
        figures = (f"{median(seconds):.1f}", f"{max(seconds):.1f}") if seconds else ("", "")
        shown.add_row(kind, str(len(faults)), *figures)
    return shown


def sentence(rounds: Sequence[Round]) -> str:
    """The sum of rounds of one kind."""
    faults, kills = sum(len(each.faults) for each in rounds), sum(each.kills for each in rounds)
    touchpoints, effects = sum(each.touchpoints for each in rounds), sum(each.effects for each in rounds)
    lost, doubled = sum(each.lost for each in rounds), sum(each.doubled for each in rounds)
    broken = sum(bool(each.broken) for each in rounds)
    return (
        f"{len(rounds)} rounds, {touchpoints:,} touchpoints, {effects:,} effects, {faults} faults, {kills} of"
        f" them kill -9 of workers: {lost} lost, {doubled} doubled, {broken} rounds with a claim that does not hold"
    )
