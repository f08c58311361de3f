"""Texts of a row by the values of a mapping: columns, constants, and what is taken in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from streams.replay.files.parts import Value

Text: TypeAlias = Callable[[tuple[str, ...]], str | None]


def text_of(value: Value | None, at: dict[str, int]) -> Text:
    """Return a reader of a row's texts, where `at` is the place of each column; it returns None for an empty one."""
    if value is None:
        return _nothing
    constant, column = value.constant, value.column
    if column is None:
        return lambda _: constant
    own = _column(value, at[column])
    if value.otherwise is None:
        return own
    other = text_of(value.otherwise, at)
    return lambda texts: own(texts) or other(texts)


def _column(value: Value, index: int) -> Text:
    suffix, values = value.drop_suffix, value.values
    if values is not None:
        known = values
        return lambda texts: known.get(texts[index])
    if suffix:
        return lambda texts: texts[index].removesuffix(suffix) or None
    return lambda texts: texts[index] or None


def _nothing(_: tuple[str, ...]) -> None:
    return None
