"""Rules that divide a conversion's value over the touches of its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.profiles.profile import Touch

    Path = tuple[Touch, ...]
    Split = Callable[[int, Path], tuple[int, ...]]


class Model(NamedTuple):
    """A rule with the version that its credit rows name."""

    version: int
    split: Split
    """(value_minor >= 0, path that is not empty) -> the amount of each touch; they sum to the value."""


def apportion(value_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide the value in proportion to whole weights, by largest remainder; ties go to the earlier weight."""
    total = sum(weights)
    amounts = [value_minor * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(value_minor * weights[index] % total), index))
    for index in by_remainder[: value_minor - sum(amounts)]:
        amounts[index] += 1
    return tuple(amounts)


def split_linear(value_minor: int, path: Path) -> tuple[int, ...]:
    """Give every touch the same share."""
    if len(path) == 1:
        return (value_minor,)
    return apportion(value_minor, (1,) * len(path))


def split_last(value_minor: int, path: Path) -> tuple[int, ...]:
    """Give all to the last touch."""
    return (0,) * (len(path) - 1) + (value_minor,)


MODELS: dict[str, Model] = {
    "linear": Model(1, split_linear),
    "last": Model(1, split_last),
}
"""Every model that writes credit, side by side."""
