"""Runs the window under callgrind and reads what it counted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from operator import itemgetter
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from streams.demo.servers.valgrind import valgrind_environment, valgrind_headers, valgrind_program
from tests.bench.cost.workload import COUNTED, MIXES, write_workload
from tests.bench.mix import clickstream_file
from tests.support.compiled import compiled_product, compiler
from tests.support.files import ROOT

OUT = ROOT / "build" / "bench" / "cost"
"""Callgrind's files stay here, for callgrind_annotate."""
SUMMED = ("process", "facts", "profiles", "store", "metrics")
TOTAL = "total"
PHASES = {
    "decode": "a record read from its bytes",
    "fold": "the record folded into the customer's profile",
    "tally": "facts added up",
    "encode": "outputs as bytes",
    "process": "these four, by the processor of a worker",
    "facts": "the record of facts",
    "profiles": "changed profiles as bytes",
    "store": "these kept, in memory",
    "metrics": "metrics of what was committed",
    TOTAL: "process and what follows it",
}
"""In the order in which they happen."""
LAYOUTS = 4
"""Runs of a case; the figures are those of the cheapest."""
_TRIGGER = re.compile(r"^desc: Trigger: Client Request: (\w+)$", re.MULTILINE)
_COUNT = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class Case(NamedTuple):
    """What is counted in one run."""

    mix: str
    is_compiled: bool

    def __str__(self) -> str:
        return f"{self.mix}, {'compiled' if self.is_compiled else 'interpreted'}"


ALL = tuple(Case(mix, is_compiled) for mix in MIXES for is_compiled in (True, False))
BY_CI = tuple(case for case in ALL if case.is_compiled and case.mix.endswith("ten flows"))

Figures = dict[str, int]
"""Instructions for each touchpoint, by phase."""


def count(cases: tuple[Case, ...]) -> dict[Case, Figures]:
    """Counts cases, as many runs at once as there are cores.

    The interpreter keeps methods in a cache, by the type's number and the name's address. Where two methods of the hot
    path meet in one place, a touchpoint costs up to one and a half percent more. Any other code, or just a file more,
    changes which do. So a case is run in several layouts of that cache, and the cheapest run is taken. As long as
    nothing changes, each layout gives the same counts to the digit.

    Raises:
        Unavailable: valgrind cannot be had here.
        RuntimeError: something fails; the message has the last lines of what it said.
    """
    rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    counter = _compiled_counter()
    folders: dict[bool, tuple[Path, ...]] = {False: (ROOT,)}
    if any(case.is_compiled for case in cases):
        folders[True] = (compiled_product(), ROOT)
    workloads = {mix: OUT / f"{_name(mix)}.msgpack" for mix in {case.mix for case in cases}}
    for mix, path in workloads.items():
        write_workload(MIXES[mix], path)
    for form in {case.is_compiled for case in cases}:
        # so that no run meets modules without their bytecode, which would take its memory in another order
        _run([], folders[form], next(iter(workloads.values())), counter, 0)

    def counted(run: tuple[Case, int]) -> Counter[str]:
        case, layout = run
        out = OUT / f"{_name(str(case))}-{layout}"
        return _counted(out, folders[case.is_compiled], workloads[case.mix], counter, layout)

    runs = list(product(cases, range(LAYOUTS)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(runs, pool.map(counted, runs), strict=True))
    return {case: _least([counts[case, layout] for layout in range(LAYOUTS)]) for case in cases}


def has_data(case: Case) -> bool:
    """Whether the touchpoints of the case are here."""
    return not MIXES[case.mix].is_real or clickstream_file().is_file()


def _name(text: str) -> str:
    return text.replace(", ", "-").replace(" ", "-")


def _counted(folder: Path, python_path: tuple[Path, ...], workload: Path, counter: Path, layout: int) -> Counter[str]:
    """Instructions of one run, by phase."""
    folder.mkdir()
    options = ("--tool=callgrind", "--instr-atstart=no", "--dump-line=no", "--read-inline-info=no")
    valgrind = [str(valgrind_program()), *options, f"--callgrind-out-file={folder / 'counted'}"]
    _run(valgrind, python_path, workload, counter, layout)
    counts = Counter[str]()
    for path in folder.glob("counted.*"):
        text = path.read_text()
        phase, instructions = _TRIGGER.search(text), _COUNT.search(text)
        if phase and instructions:
            counts[phase[1]] += int(instructions[1])
    missing = PHASES.keys() - {TOTAL} - {phase for phase, number in counts.items() if number}
    if missing:
        raise RuntimeError(f"{folder}: callgrind counted nothing of {', '.join(sorted(missing))}")
    counts[TOTAL] = sum(counts[phase] for phase in SUMMED)
    return counts


def _least(runs: list[Counter[str]]) -> Figures:
    counts = min(runs, key=itemgetter(TOTAL))
    return {phase: round(counts[phase] / COUNTED) for phase in PHASES}


def _run(valgrind: list[str], python_path: tuple[Path, ...], workload: Path, counter: Path, layout: int) -> None:
    window = [sys.executable, "-m", "tests.bench.cost.layout", str(layout), str(workload), str(counter)]
    # nothing else of our own environment, which is in memory too
    environment = {
        "PATH": os.defpath,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(map(str, python_path)),
        "PYTHONSAFEPATH": "1",
        **valgrind_environment(),
    }
    done = subprocess.run([*valgrind, *window], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(window)}:\n{done.stderr[-4_000:]}")


def _compiled_counter() -> Path:
    library, program = OUT / "counter.so", compiler()
    if program is None:
        raise RuntimeError("there is no C compiler here (cc)")
    source = Path(__file__).with_name("counter.c")
    command = [program, "-O2", "-shared", "-fPIC", "-I", str(valgrind_headers()), "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"no counter:\n{done.stderr[-4_000:]}")
    return library
