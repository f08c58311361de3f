"""Words for clusters, by how their centres differ from all customers."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# in the order of streams.profiles.features.FEATURES: words for a low and for a high value
_WORDS = (
    ("recent", "lapsed"),
    ("few orders", "frequent"),
    ("low spend", "high spend"),
    ("short gaps", "long gaps"),
    ("unengaged", "engaged"),
)
_ORDERS, _GAP = 1, 3
_REPEAT_ORDERS = 1.5
# in scales; finer words are used only if two clusters would have the same words
_STEPS = (0.5, 0.25, 0.0)


def describe(centres: Sequence[Sequence[float]], mean: Sequence[float], scale: Sequence[float]) -> tuple[str, ...]:
    """Return different words for each standardised centre, e.g. "recent, frequent, high spend"."""
    repeats = [exp(centre[_ORDERS] * scale[_ORDERS] + mean[_ORDERS]) > _REPEAT_ORDERS for centre in centres]
    names = [_words(centre, repeat, _STEPS[0]) for centre, repeat in zip(centres, repeats, strict=True)]
    for step in _STEPS[1:]:
        names = [
            _words(centre, repeat, step) if names.count(name) > 1 else name
            for name, centre, repeat in zip(names, centres, repeats, strict=True)
        ]
    return tuple(
        f"{name} ({names[: index + 1].count(name)})" if names.count(name) > 1 else name
        for index, name in enumerate(names)
    )


def _words(centre: Sequence[float], repeat: bool, step: float) -> str:  # noqa: FBT001 - private
    words = []
    for index, (value, (low, high)) in enumerate(zip(centre, _WORDS, strict=True)):
        # a customer with one order has no gap between orders, neither short nor long
        if abs(value) <= step or (index == _GAP and not repeat):
            continue
        words.append(high if value > 0 else low)
    return ", ".join(words) or "average"
