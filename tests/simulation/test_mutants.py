"""A simulation that notices nothing shows nothing: the kept seed finds each mistake but one."""

import pytest

from tests.mutants import MUTANTS, NOT_FOUND, found_seeds
from tests.simulation.checking import find_of

FOUND = found_seeds()
SEEDS_BESIDE = 40
"""Tried where a change of the histories or of the brokers has made another case of the seed that was kept."""


@pytest.mark.parametrize("mutant", FOUND)
def test_the_simulation_catches(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    seeds = (FOUND[mutant], *range(SEEDS_BESIDE))
    assert any(find_of(seed) is not None for seed in seeds), f"{mutant} is not noticed: run `make mutants`"


def test_all_mistakes_but_these_are_found() -> None:
    assert MUTANTS.keys() - FOUND.keys() == NOT_FOUND
