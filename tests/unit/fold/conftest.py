"""What the tests of the fold share."""

from __future__ import annotations

import pytest

from tests.support.flows import a_flow


@pytest.fixture
def flows() -> tuple[dict[str, object], ...]:
    """The reminder of a cart, for everybody."""
    return (a_flow(),)
