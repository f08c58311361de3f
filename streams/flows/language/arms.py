"""Names of arms."""

from __future__ import annotations

TREATMENT = "treatment"
HOLDOUT = "holdout"
UNASSIGNED = "unassigned"
"""Of a candidate that ended with no flow at hand to say."""
SHADOW = "shadow"
"""Of what is decided and not sent."""
SHADOW_KEY = f"{SHADOW}:"
"""Before the id of a flow that decides in the shadow."""
