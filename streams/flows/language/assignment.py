"""Assignment to arms: a hash of (flow, customer), so that a customer stays in one arm of a flow for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.flows.language.arms import HOLDOUT, TREATMENT
from streams.profiles.effects import hash_64

if TYPE_CHECKING:
    from streams.flows.language.flow import Flow

_PARTS = 10_000


def arm_of(flow: Flow, customer: str) -> str:
    """Return the customer's arm, the same in every version of the flow with the same shares."""
    if flow.holdout_percent and _is_below(flow.holdout_percent, f"{flow.id}\x1f{customer}"):
        return HOLDOUT
    split = flow.split
    if split is None:
        return TREATMENT
    upto = 0.0
    for arm in split.arms[:-1]:
        upto += arm.percent
        if _is_below(upto, f"{flow.id}\x1fsplit\x1f{customer}"):
            return arm.name
    return split.arms[-1].name


def is_of_canary(flow: Flow, percent: float, customer: str) -> bool:
    """Return whether the customer gets this version first; other versions begin with other customers."""
    return _is_below(percent, f"{flow.id}\x1fcanary\x1f{flow.version}\x1f{customer}")


def _is_below(percent: float, text: str) -> bool:
    return hash_64(text) % _PARTS < percent * _PARTS / 100
