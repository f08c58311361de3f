"""`make cost`: instructions for each touchpoint, by phase, against the figures in cost.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import in_ci
from streams.demo.servers.valgrind import fetch_valgrind
from tests.bench.cost.base import NoBase, count_base
from tests.bench.cost.counting import ALL, BY_CI, PHASES, Case, Figures, count, has_data
from tests.bench.cost.figures import compared, judge, read_kept, write_kept
from tests.support.compiled import has_compiler
from tests.support.files import ROOT


def main() -> int:
    """Exit code 1 where a case costs more than the limit allows, or CI cannot tell; 0 where it is skipped."""
    asked = _asked()
    cases = tuple(case for case in ALL if str(case) in asked.only) if asked.only else ALL if asked.all else BY_CI
    if (missing := _missing()) is not None:
        _say(f"cost: not counted: {missing}")
        return int(in_ci())
    here = tuple(case for case in cases if has_data(case))
    for case in cases:
        if case not in here:
            _say(f"cost: {case}: not counted: the real data are not here (TOUCHPOINT_DATA)")
    counted = count(here)
    if asked.write is not None:
        asked.write.write_bytes(msgspec.json.encode({str(case): figures for case, figures in counted.items()}))
        return 0
    if asked.renew is not None:
        return _renew(counted, asked.renew)
    return _compare(counted)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost")
    parser.add_argument("--all", action="store_true", help="both mixes with one and ten flows, interpreted too")
    parser.add_argument("--renew", metavar="REASON", help="count all, and keep what is counted")
    parser.add_argument("--only", nargs="+", default=(), choices=[str(case) for case in ALL], help="these cases")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the figures there, and compare nothing")
    asked = parser.parse_args()
    if asked.renew is not None:
        asked.all, asked.only = True, ()
        if not asked.renew.strip():
            parser.error("--renew: a reason is needed")
    return asked


def _missing() -> str | None:
    if not has_compiler():
        return "there is no C compiler here (cc)"
    try:
        fetch_valgrind()
    except Unavailable as error:
        return f"valgrind is not to be had here: {error}"
    return None


def _renew(counted: dict[Case, Figures], reason: str) -> int:
    kept = read_kept(ROOT)
    _show(counted, {case: figures for case in counted if (figures := kept.figures(case))})
    if len(counted) < len(ALL):
        _say("cost: not renewed: all cases have to be counted")
        return 1
    write_kept(ROOT, counted, reason)
    return 0


def _compare(counted: dict[Case, Figures]) -> int:
    kept = read_kept(ROOT)
    before = {case: figures for case in counted if (figures := kept.figures(case))}
    new = tuple(case for case in counted if case not in before)
    if new:
        try:
            commit, counted_before = count_base(new)
        except NoBase as error:
            _show(counted, before)
            _say(f"cost: no figures are kept for this build, and none can be counted of an earlier commit: {error}")
            return int(in_ci())
        _say(f"cost: no figures are kept for this build; compared with commit {commit}, counted here too")
        before |= counted_before
    _show(counted, before)
    holds, lines = judge(compared(before, counted))
    for line in lines:
        _say(f"cost: {line}")
    return int(not holds)


def _show(counted: dict[Case, Figures], before: dict[Case, Figures]) -> None:
    for is_compiled, form in ((True, "compiled"), (False, "interpreted")):
        of_form = {case: figures for case, figures in counted.items() if case.is_compiled is is_compiled}
        if not of_form:
            continue
        table = Table(title=f"instructions for each touchpoint, {form}, and their change in percent")
        table.add_column("phase")
        for case in of_form:
            table.add_column(case.mix.replace(", ", "\n"), justify="right")
        table.add_column("what it is")
        for phase, what in PHASES.items():
            cells = (_cell(figures[phase], before.get(case, {}).get(phase)) for case, figures in of_form.items())
            table.add_row(phase, *cells, what)
        Console(width=130).print(table)


def _cell(now: int, before: int | None) -> str:
    return f"{now:,}" if not before else f"{now:,} {(now / before - 1) * 100:+6.2f}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
