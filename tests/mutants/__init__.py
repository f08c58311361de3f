"""Mistakes that the simulation must notice: each puts one into the real modules, the model, or the simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.mutants.engine import ENGINE
from tests.mutants.folding import FOLDING
from tests.mutants.modelling import MODELLING
from tests.mutants.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Mutate = Callable[[pytest.MonkeyPatch], None]

MUTANTS: dict[str, Mutate] = {mutate.__name__: mutate for mutate in (*ENGINE, *STATES, *FOLDING, *MODELLING)}
FOUND = Path(__file__).with_name("found.json")

NOT_FOUND = {"time_told_without_a_second_look"}
"""A record has to be forwarded twice while its time is told, as in one seed of thousands. The gate's unit tests do."""


def found_seeds() -> dict[str, int]:
    """Return the seed that shows each mutant, as kept."""
    return msgspec.json.decode(FOUND.read_bytes(), type=dict[str, int])
