"""What the tests of the fold share."""

from __future__ import annotations

import pytest


@pytest.fixture
def flows(abandoned_cart: dict[str, object]) -> tuple[dict[str, object], ...]:
    """The reminder of a cart, for everybody."""
    return ({**abandoned_cart, "holdout_percent": 0},)
