"""A simulation that notices nothing shows nothing: each mistake is found by the seed that `make mutants` has kept."""

import pytest

from tests.mutants import MUTANTS, found_seeds
from tests.simulation.checking import find_of

FOUND = found_seeds()


@pytest.mark.parametrize("mutant", FOUND)
def test_the_simulation_catches(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    assert find_of(FOUND[mutant]) is not None, f"seed {FOUND[mutant]} shows {mutant} no more: run `make mutants`"
