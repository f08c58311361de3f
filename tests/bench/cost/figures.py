"""Figures that are kept in cost.json, for which Python they hold, and how new ones compare with them."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.bench.cost.counting import TOTAL, Case, Figures
from tests.support.compiled import compiler_version
from tests.support.files import ROOT

KEPT = Path("tests/bench/cost.json")
"""Below the project's folder."""
PERCENT_MAX = 3.0
"""The same files give the same counts to the digit, other ones by chance up to 0.3 % more or less: see `count`."""
RENEW = 'make cost RENEW="why it costs what it costs now"'

_NOTHING: dict[str, dict[str, Figures]] = {}


class Kept(msgspec.Struct, frozen=True):
    """The file. Other builds run other instructions for the same code, so figures hold for one build."""

    renewed: str
    """Date."""
    reason: str
    builds: dict[str, dict[str, Figures]]
    """By build, then by case."""

    def figures(self, case: Case) -> Figures | None:
        """Of this build; None: it has none."""
        return self.builds.get(build_of(case), {}).get(str(case))


class Change(NamedTuple):
    """One case, before and now."""

    case: Case
    before: int
    """Instructions for each touchpoint."""
    now: int

    @property
    def percent(self) -> float:
        return (self.now - self.before) * 100 / self.before

    def __str__(self) -> str:
        counts = f"{self.before:,} before, {self.now:,} now"
        return f"{self.case}: {counts}, {self.percent:+.2f} %; the limit is +{PERCENT_MAX:g} %"


def build_of(case: Case) -> str:
    """What decides, beside our code, how many instructions a case takes: Python, its packages, and the compiler."""
    constraints = sha256((ROOT / "deploy" / "constraints.txt").read_bytes()).hexdigest()[:12]
    python = f"{platform.python_implementation()} {' '.join(sys.version.split())}"
    parts = [python, " ".join(platform.libc_ver()), platform.machine(), f"constraints {constraints}"]
    if case.is_compiled:
        parts.append(compiler_version())
    return ", ".join(parts)


def read_kept(root: Path) -> Kept:
    """The file below a project's folder; without one nothing is kept."""
    path = root / KEPT
    return msgspec.json.decode(path.read_bytes(), type=Kept) if path.exists() else Kept("", "", _NOTHING)


def write_kept(root: Path, counted: dict[Case, Figures], reason: str) -> None:
    """Keeps these figures alone: those of other builds, and of cases not counted, are of the code as it was before."""
    builds: dict[str, dict[str, Figures]] = {}
    for case, figures in counted.items():
        builds.setdefault(build_of(case), {})[str(case)] = figures
    kept = Kept(datetime.now(UTC).date().isoformat(), reason, builds)
    (root / KEPT).write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")


def compared(before: dict[Case, Figures], now: dict[Case, Figures]) -> list[Change]:
    """The totals of cases that are in both."""
    return [Change(case, before[case][TOTAL], figures[TOTAL]) for case, figures in now.items() if case in before]


def judge(changes: list[Change]) -> tuple[bool, list[str]]:
    """Whether no total rose by more than the limit, and what there is to say."""
    dearer = [change for change in changes if change.percent > PERCENT_MAX]
    if dearer:
        return False, [*map(str, dearer), f"where that is wanted: {RENEW}"]
    cheaper = [change for change in changes if change.percent < -PERCENT_MAX]
    hint = f"so that what was gained is not lost again unseen: {RENEW}"
    return True, [*map(str, cheaper), hint] if cheaper else []
