"""Names of arms."""

from __future__ import annotations

TREATMENT = "treatment"
HOLDOUT = "holdout"
UNASSIGNED = "unassigned"
"""The arm of a candidate that ended after its flow was no longer published."""
SHADOW = "shadow"
"""The arm of a message that is decided but not sent."""
SHADOW_KEY = f"{SHADOW}:"
"""Prefix of the id of a flow that decides but sends nothing."""
