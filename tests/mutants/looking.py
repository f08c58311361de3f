"""The search for a seed that shows a mutant; every process imports this."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.mutants import MUTANTS
from tests.simulation.checking import find_of


class Look(NamedTuple):
    """So many seeds of a mutant, from `first` on, and the first of them that shows it."""

    mutant: str
    first: int
    seeds: int
    found: int | None = None


def look(asked: Look) -> Look:
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[asked.mutant](patch)
        for seed in range(asked.first, asked.first + asked.seeds):
            if find_of(seed) is not None:
                return asked._replace(found=seed)
    return asked
