"""The shape of the sources: no cycles, few loose modules and layers, nothing too long, one policy for a bad record."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from tests.support.files import ROOT
from tests.support.sources import functions, imported_names, module_name, shown, sources, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LOOSE = {"__main__", "agents", "app", "attributes", "settings", "topics", "worker", "worker_settings"}
"""Modules directly in streams/: the map, the doorways, the process, and what all read."""
LAYERS_MAX = 21
PARAMETER_IGNORES_MAX = 4
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 300
FOLDS_ARE_ATTEMPTED_IN = "streams/fold/attempt.py"
CATCHES_ALL = {
    FOLDS_ARE_ATTEMPTED_IN: "a record that cannot be folded becomes a value",
    "streams/fold/timers.py": "the code of one timer raised: the timer is parked, and the record is folded",
    "streams/fold/customers.py": "what wakes one idle customer raised: all of their timers are parked",
    "streams/doctor/machine.py": "rocksdict has no exceptions of its own",
    "streams/kafka/publisher.py": "a transaction is aborted, whatever ended it, and the exception goes on",
}
WAYS = (
    "processors/collecting",
    "processors/profiling",
    "processors/insighting",
    "offline/refold",
    "offline/branch",
    "operations/rebuild",
    "fold/memory",
)
ENGINE = "streams/engine/"
"""Whatever an agent, a client or a thread raises aborts a cycle here, or ends the worker. No record is left out."""
BROAD = {"Exception", "BaseException"}


def cycle_in(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One cycle of an import graph, the first module again at the end; nothing where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def imports() -> dict[str, set[str]]:
    names = {module_name(path) for path in sources()}
    graph: dict[str, set[str]] = {}
    for path in sources():
        reached = (
            f"{module}.{name}" if f"{module}.{name}" in names else module
            for module, name in imported_names(tree_of(path))
        )
        graph[module_name(path)] = set(reached) & names
    return graph


def test_no_module_imports_itself_over_others() -> None:
    """Imports within functions, and those for types alone, count too."""
    graph = imports()
    assert cycle_in(graph) == []
    assert "streams.settings" in graph["streams.app"]
    assert "streams.fold.fold" in graph["streams.processors.profiling"], "what is imported for types alone counts"
    assert "streams.offline.backtest" in graph["streams.cli.backtest"], "what a function imports counts"


def test_a_cycle_would_be_found() -> None:
    assert cycle_in({"a": ["b"], "b": ["c"], "c": ["a"], "d": []})
    assert cycle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_only_what_everything_hangs_on_is_loose_in_the_product() -> None:
    loose = {path.stem for path in (ROOT / "streams").glob("*.py")} - {"__init__"}
    assert loose == LOOSE


def test_the_layers_are_few() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (layers,) = [each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    assert len(layers["layers"]) <= LAYERS_MAX


def test_few_functions_have_many_parameters_and_each_says_why() -> None:
    ignores = [
        f"{shown(path)}: {line.strip()}"
        for path in sources()
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"noqa:.*PLR0913", line)
    ]
    assert len(ignores) <= PARAMETER_IGNORES_MAX, ignores
    assert [line for line in ignores if not re.search(r"PLR0913[A-Z0-9, ]* - \w+", line)] == []
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    by_file = settings["tool"]["ruff"]["lint"]["per-file-ignores"]
    whole_files = {glob for glob, rules in by_file.items() if "PLR0913" in rules}
    assert whole_files == {"streams/{__main__,cli/*}.py", "tests/**"}, "commands have a parameter an option"


def test_no_function_is_long() -> None:
    """Signature and docstring counted, decorators not."""
    lengths = {
        f"{shown(path)}: {each.name}": (each.end_lineno or each.lineno) - each.lineno + 1
        for path in sources()
        for each in functions(tree_of(path))
    }
    assert len(lengths) > 1_000
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_no_module_is_long() -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in kinds)


def handlers_of_all(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.ExceptHandler) and catches_all(node) for node in ast.walk(tree))


def test_what_a_fold_raises_is_caught_in_one_place() -> None:
    """State and schemas are below the fold: they cannot reach it."""
    found = Counter({shown(path): handlers_of_all(tree_of(path)) for path in sources()})
    outside_of_the_engine = {name for name in +found if name.startswith("streams/") and not name.startswith(ENGINE)}
    assert outside_of_the_engine == CATCHES_ALL.keys()
    assert all(found[name] == 1 for name in CATCHES_ALL)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_fold_a_record_goes_through_that_place(way: str) -> None:
    """Live in agents, folded again by `verify` and `rebuild`, tried by `backtest`, and in memory, as stories are."""
    place = module_name(ROOT / FOLDS_ARE_ATTEMPTED_IN)
    path: Path = ROOT / "streams" / f"{way}.py"
    assert (place, "attempt") in set(imported_names(tree_of(path)))


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException", " (ValueError, Exception)"])
def test_a_handler_of_every_exception_would_be_found(caught: str) -> None:
    assert handlers_of_all(ast.parse(f"try:\n    fold()\nexcept{caught}:\n    pass\n")) == 1
    assert handlers_of_all(ast.parse("try:\n    fold()\nexcept (ValueError, KeyError):\n    pass\n")) == 0
