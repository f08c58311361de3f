"""Arms of a flow's holdout: chance is a hash of (flow, customer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.effects import hash_64

if TYPE_CHECKING:
    from streams.flows.definition import Flow

TREATMENT = "treatment"
HOLDOUT = "holdout"
UNASSIGNED = "unassigned"
"""Of a candidate that ended with no flow at hand to say."""

_PARTS = 10_000


def arm_of(flow: Flow, customer: str) -> str:
    """The arm of the customer, the same in every version of the flow with the same share held out."""
    if not flow.holdout_percent:
        return TREATMENT
    part = hash_64(f"{flow.id}\x1f{customer}") % _PARTS
    return HOLDOUT if part < flow.holdout_percent * _PARTS / 100 else TREATMENT
