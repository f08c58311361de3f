"""A simulation that notices nothing shows nothing: each mistake in the engine is found within a few seeds."""

import pytest

from tests.simulation.checking import find_of
from tests.simulation.mutants import MUTANTS

SEEDS_MAX = 500


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_simulation_catches(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    found = next(filter(None, map(find_of, range(SEEDS_MAX))), None)
    assert found is not None, f"{SEEDS_MAX} seeds did not notice {mutant}"
