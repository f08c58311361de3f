"""What acceptance tests may ask for besides."""

from pathlib import Path

import pytest

from tests.support.compiled import NEEDS_COMPILER, compiled_product
from tests.support.files import ROOT

_COMPILED = [pytest.mark.heavy, pytest.mark.timeout(1_800), NEEDS_COMPILER]


@pytest.fixture(params=["interpreted", pytest.param("compiled", marks=_COMPILED)])
def product(request: pytest.FixtureRequest) -> Path:
    """The folder to import the product from: the sources, and the compiled wheel."""
    return ROOT if request.param == "interpreted" else compiled_product()
