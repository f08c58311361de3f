"""JSON documents in the cells of a column file: the texts that paths lead to, and lists of an order's lines."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from schemas.limits import LINES_MAX, NESTING_MAX
from schemas.nesting import is_nested_deeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.replay.files.mapping import Mapping

_PLAIN_DIGITS_MAX = 40
"""Digits of a number that is written out: 1e999999 would have a million."""


class BadDocumentError(ValueError):
    """A cell is not the document that the mapping says; the message names the column, and no value."""


class Cells:
    """A reader of the cells of one file's rows, by one mapping.

    A path goes through names, and numbers of members from 0, which are joined by dots: `customer.address.city`. A
    text is as it is, a number is a plain decimal, true and false are words, and what is missing or null is empty.
    """

    def __init__(self, mapping: Mapping) -> None:
        at = {name: index for index, name in enumerate(mapping.file_columns)}
        lines = mapping.orders.lines
        self._documents = [(name, at[name]) for name in mapping.file.json_columns if name in at]
        self._lines = None if lines is None else _path(lines, mapping)
        self._readers = [_reader(name, mapping, at, lines) for name in mapping.columns]
        self._lines_name = lines

    def outside(self, fields: Sequence[str]) -> tuple[str, ...]:
        """Return the texts of a row whose documents cannot be read: what they hold is empty."""
        return tuple([read(fields, {}, None) for read in self._readers])

    def read(self, fields: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the texts of a row in the order of the mapping's `columns`, once for each line of its order.

        Raises:
            BadDocumentError: a cell is no JSON document, or has no list where the lines should be.
        """
        documents = {name: _document(name, fields[index]) for name, index in self._documents}
        if self._lines is None:
            return [tuple([read(fields, documents, None) for read in self._readers])]
        found = _at(documents, self._lines)
        if not isinstance(found, list) or not found:
            raise BadDocumentError(f"column {self._lines_name}: expected a JSON list with the lines of the order")
        if len(found) > LINES_MAX:
            message = f"column {self._lines_name}: a list of {len(found)} lines; at most {LINES_MAX} are allowed"
            raise BadDocumentError(message)
        return [tuple([read(fields, documents, line) for read in self._readers]) for line in found]


def _path(name: str, mapping: Mapping) -> tuple[str, ...]:
    document = mapping.document_of(name)
    assert document is not None  # noqa: S101 - the mapping was checked
    return (document, *(name[len(document) + 1 :].split(".") if name != document else ()))


def _reader(
    name: str, mapping: Mapping, at: dict[str, int], lines: str | None
) -> Callable[[Sequence[str], dict[str, Any], Any], str]:
    if mapping.document_of(name) is None:
        index = at[name]
        return lambda fields, _documents, _line: fields[index]
    if lines is not None and name.startswith(f"{lines}."):
        inner = tuple(name[len(lines) + 1 :].split("."))
        return lambda _fields, _documents, line: _text(_at(line, inner))
    path = _path(name, mapping)
    return lambda _fields, documents, _line: _text(_at(documents, path))


def _document(name: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    if not text.strip():
        return None
    if is_nested_deeper(text.encode(), NESTING_MAX):
        raise BadDocumentError(f"column {name}: nested deeper than {NESTING_MAX} levels")
    try:
        # numbers stay texts, so that an amount is exact
        return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_no_number)
    except ValueError:
        hint = "; JSON has double quotes" if text.lstrip()[:2] in {"{'", "['"} or "'" in text[:3] else ""
        raise BadDocumentError(f"column {name}: no JSON document{hint}") from None


class _Number(str):
    __slots__ = ()


def _no_number(text: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(text)


def _at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) <= len(str(LINES_MAX)):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return _plain(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(number: str) -> str:
    """Return a number without an exponent and without noughts at its end: 7.0 is 7."""
    if number.lstrip("-").isdigit():
        return str(number)
    value = Decimal(number)
    if not value.is_finite() or abs(value.adjusted()) > _PLAIN_DIGITS_MAX or len(number) > _PLAIN_DIGITS_MAX:
        return str(number)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
