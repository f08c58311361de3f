"""Lifecycle: prospect, first_time, active, at_risk, lapsed, reactivated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.profiles.profile import Score

_AT_RISK_R, _LAPSED_R = 2, 1


def lifecycle(before: str, scored: Score | None, *, ordered: bool) -> str:
    """Return the stage after a scoring; `ordered`: an order has just been placed."""
    if scored is None:
        return "prospect"
    if ordered and before in {"lapsed", "reactivated"}:
        return "reactivated"
    if scored.r == _LAPSED_R:
        return "lapsed"
    if scored.r == _AT_RISK_R:
        return "at_risk"
    if before == "reactivated" and not ordered:
        return before
    return "first_time" if scored.orders <= 1 else "active"
