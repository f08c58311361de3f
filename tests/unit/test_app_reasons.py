"""The reasons that metrics count from 0 on are those that the sources give."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from schemas.refusal import Refusal
from streams.app import REASONS
from streams.engine.bisection import NOT_COMMITTED
from streams.fold.attempt import HUNG, RAISED
from tests.support.sources import shown, sources, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OF_ANY_RECORD = ("schemas/", "streams/profiles/effects.py")
SOURCES = {
    "collect": (*OF_ANY_RECORD, "streams/collect/", "streams/processors/collecting.py"),
    "fold": (
        *OF_ANY_RECORD,
        "streams/collect/sizes.py",
        "streams/fold/",
        "streams/kafka/",
        "streams/processors/profiling.py",
    ),
    "insights": (*OF_ANY_RECORD, "streams/insights/", "streams/processors/insighting.py"),
}
"""Where what a stage does with a record is refused."""


def names_of(kind: type[Refusal]) -> Iterator[str]:
    """The name of an exception, and of those that are special cases of it."""
    yield kind.__name__
    for special in kind.__subclasses__():
        yield from names_of(special)


REFUSALS = set(names_of(Refusal))


def texts_in(node: ast.expr) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def reasons_in(tree: ast.Module) -> set[str]:
    """The reasons of the refusals and of the letters that are made there."""
    found = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if call.func.id in REFUSALS and call.args:
            found |= texts_in(call.args[0])
        elif call.func.id == "DeadLetter":
            found |= {text for each in call.keywords if each.arg == "reason" for text in texts_in(each.value)}
    return found


def given() -> dict[Path, set[str]]:
    return {path: reasons for path in sources() if (reasons := reasons_in(tree_of(path)))}


@pytest.mark.parametrize("stage", SOURCES)
def test_each_reason_of_a_stage_is_counted_from_0_on_and_no_other(stage: str) -> None:
    found = {RAISED, HUNG, NOT_COMMITTED}.union(
        *(reasons for path, reasons in given().items() if shown(path).startswith(SOURCES[stage]))
    )
    assert sorted(REASONS[stage]) == sorted(found)


def test_every_source_that_gives_reasons_is_of_a_stage() -> None:
    assert SOURCES.keys() == REASONS.keys()
    places = tuple(place for of_stage in SOURCES.values() for place in of_stage)
    assert [shown(path) for path in given() if not shown(path).startswith(places)] == []


def test_reasons_are_found_wherever_they_are_given() -> None:
    tree = ast.parse(
        'raise Refusal("a" if late else "b", "no reason")\n'
        'return Rejected("c", f"no {reason}")\n'
        'DeadLetter(reason="d", detail="no reason")\n'
        "raise FactsRefused(error.reason, error.detail)\n"
    )
    assert reasons_in(tree) == {"a", "b", "c", "d"}
