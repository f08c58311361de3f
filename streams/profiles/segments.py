"""Segments from scores: the grid of eleven over (R, mean of F and M), and the classic profile."""

from __future__ import annotations

NO_ORDER = "none"
UNSCORED = "unscored"

_GRID = {
    # by (R, FM): each of the 25 cells is in one segment
    **{(5, fm): "Champions" for fm in (4, 5)},
    **{(r, fm): "Loyal" for r in (3, 4) for fm in (4, 5)},
    **{(r, fm): "Potential Loyalist" for r in (4, 5) for fm in (2, 3)},
    (5, 1): "New",
    (4, 1): "Promising",
    (3, 3): "Need Attention",
    **{(3, fm): "About to Sleep" for fm in (1, 2)},
    **{(r, fm): "At Risk" for r in (1, 2) for fm in (3, 4)},
    **{(r, 5): "Can't Lose" for r in (1, 2)},
    **dict.fromkeys(((1, 2), (2, 1), (2, 2)), "Hibernating"),
    (1, 1): "Lost",
}
GRID_SEGMENTS = tuple(dict.fromkeys(_GRID.values()))
_RECENT_R = 4
ABSENT_SEGMENTS = frozenset(GRID_SEGMENTS) - {segment for (r, _), segment in _GRID.items() if r >= _RECENT_R}
"""Segments of which nobody is among the two fifths who ordered last."""
_TOP, _HIGH, _LOW = 5, 4, 2


def grid_segment(r: int, f: int, m: int) -> str:
    """Return the segment of scores 1..5, by R and the mean of F and M, rounded half up."""
    return _GRID[r, (f + m + 1) // 2]


def classic_segment(r: int, f: int, m: int) -> str:
    """Return the segment of scores 1..5 by the classic rules, of which the first that matches wins."""
    if (r, f, m) == (_TOP, _TOP, _TOP):
        return "Champions"
    if min(r, f, m) >= _HIGH:
        return "Loyal"
    if r <= _LOW and f >= _HIGH and m >= _HIGH:
        return "At Risk"
    if r >= _HIGH and f <= _LOW:
        return "New"
    if (r, f, m) == (1, 1, 1):
        return "Lost"
    return "Others"


RULES = {"grid": grid_segment, "classic": classic_segment}
