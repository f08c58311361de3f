"""A smaller case that is broken too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import Case

TRIES_MAX = 200


def shrunken(case: Case, is_broken: Callable[[Case], bool], tries_max: int = TRIES_MAX) -> Case:
    """Take away faults, then records, then workers, as long as `is_broken` says so: halves first, single ones last."""
    tries = 0
    for name in ("faults", "sent"):
        size = max(1, len(getattr(case, name)) // 2)
        while True:
            start = 0
            while start < len(getattr(case, name)) and tries < tries_max:
                tries += 1
                smaller = _without(case, name, start, size)
                if is_broken(smaller):
                    case = smaller
                else:
                    start += size
            if size == 1:
                break
            size //= 2
    for workers in range(1, case.workers):
        smaller = replace(case, workers=workers)
        if is_broken(smaller):
            return smaller
    return case


def _without(case: Case, name: str, start: int, size: int) -> Case:
    parts: tuple[Any, ...] = getattr(case, name)
    changed: dict[str, Any] = {name: parts[:start] + parts[start + size :]}
    return replace(case, **changed)
