"""YAML and JSON that people write, or others in their name: read at a cost that the file's size bounds.

In a YAML file a value may stand for another one (`*name`), so that a few lines mean billions of values. Numbers may
have any number of digits, and a name that is there twice would silently take the last value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from schemas.limits import DIGITS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_LEVELS_MAX, DOCUMENT_VALUES_MAX
from schemas.nesting import is_nested_deeper

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.abc import Traversable
    from pathlib import Path

_SHOWN_MAX = 200
"""Characters of a value that a message shows."""
_MISTAKES_MAX = 10
_MISTAKE_CHARACTERS_MAX = 1_000
_ANYTHING_WRONG = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What PyYAML raises for values that do not fit their tags, such as 2026-99-99 or !!bool maybe."""
_MERGE, _INT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:int"
_HALF = re.compile("[\ud800-\udfff]")
"""A surrogate, which no encoding of texts has."""
_CHARACTERS_A_VALUE = 100
"""A text counts as one value more for each so many of its characters."""
_NAME_SHOWN_MAX = 40


class DocumentError(ValueError):
    """The text is no document within the limits; the message names the place, the value and what is allowed."""


def read_text(path: Path | Traversable) -> str:
    """Return the text of a file.

    Raises:
        DocumentError: it is larger than DOCUMENT_BYTES_MAX, or not UTF-8.
        OSError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except ValueError as error:  # a name that no file can have
        raise DocumentError(f"{error} in the path") from None
    with file:
        data = file.read(DOCUMENT_BYTES_MAX + 1)
    if len(data) > DOCUMENT_BYTES_MAX:
        raise DocumentError(f"it has more than {DOCUMENT_BYTES_MAX} bytes; such a file has hundreds or thousands")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8 from byte {error.start} on") from None


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - any content of the file
    """Return the contents of a YAML text, in which 21:00 is a time of day and a time is a text, as in JSON.

    Raises:
        DocumentError: it is not YAML, or more than the limits allow, or has a name twice.
    """
    try:
        return _Loader(text).get_single_data()
    except DocumentError:
        raise
    except _ANYTHING_WRONG as error:
        raise DocumentError(f"not valid YAML: {_shortened(' '.join(str(error).split()))}") from None


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Raises:
        DocumentError: it is not JSON, or more than the limits allow, or has a name twice.
    """
    if is_nested_deeper(text.encode(errors="replace"), DOCUMENT_LEVELS_MAX):
        raise DocumentError(f"it is nested deeper than {DOCUMENT_LEVELS_MAX} levels")
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_int=_whole, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a character could not be written
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError(f"not valid JSON: {_shortened(str(error))}") from None
    return value


def shown(value: object) -> str:
    """Return a value as messages show it, cut off if it is long."""
    return _shortened(repr(value))


def listed(mistakes: Iterable[str]) -> str:
    """Return the first mistakes in one line, and how many more there are."""
    found = list(mistakes)
    first = "; ".join(_shortened(each, _MISTAKE_CHARACTERS_MAX) for each in found[:_MISTAKES_MAX])
    return first if len(found) <= _MISTAKES_MAX else f"{first}; and {len(found) - _MISTAKES_MAX} more"


def _shortened(text: str, most: int = _SHOWN_MAX) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = (Counter(name for name, _ in pairs) - Counter(found.keys())).items()
        raise DocumentError(f"{shown(twice)} is there twice; give each name once")
    return found


def _constant(text: str) -> float:
    raise DocumentError(f"not valid JSON: {text} is no number of JSON")


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise DocumentError(f"{_shortened(text)} has {len(text)} digits; at most {DIGITS_MAX} are allowed")
    return int(text)


class _Loader(yaml.SafeLoader):
    """A loader that knows the path of what it reads, and stops at the limits.

    A value counts as often as it is meant: where it is used again, it counts again with all that it holds.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._path: list[str] = []
        self._counted = 0
        self._counts: dict[int, int] = {}
        """How much each value counts, with what it holds, by its node's id."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - a node or a number
        """Compose one value; `index` is its place in a list, or the node of its name."""
        self._path.append(_step(index))
        if len(self._path) > DOCUMENT_LEVELS_MAX:
            raise self._refusal(f"is nested deeper than {DOCUMENT_LEVELS_MAX} levels")
        before = self._counted
        is_again = self.check_event(yaml.AliasEvent)
        node: yaml.Node | None = super().compose_node(parent, index)
        if is_again:
            if id(node) not in self._counts:
                raise self._refusal("contains itself")
            self._count(self._counts[id(node)])
        else:
            self._count(1)
            self._counts[id(node)] = self._counted - before
        self._path.pop()
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:  # noqa: ANN401 - a name or None
        """Compose a text or a number."""
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if node.tag == _INT and len(node.value) > DIGITS_MAX:
            raise self._refusal(f"is {shown(node.value)}, of more than {DIGITS_MAX} digits")
        if not node.value.isascii() and _HALF.search(node.value):
            raise self._refusal(f"is {shown(node.value)}, of which a part is half a character")
        self._count(len(node.value) // _CHARACTERS_A_VALUE)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - a name or None
        """Compose a mapping, in which each name is there once."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        names: set[tuple[str, str]] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != _MERGE:
                if (name.tag, name.value) in names:
                    raise self._refusal(f"has {shown(name.value)} twice, again in line {name.start_mark.line + 1}")
                names.add((name.tag, name.value))
        return node

    def _count(self, values: int) -> None:
        self._counted += values
        if self._counted > DOCUMENT_VALUES_MAX:
            raise self._refusal(f"brings the file to more than {DOCUMENT_VALUES_MAX} values")

    def _refusal(self, wrong: str) -> DocumentError:
        path = "".join(self._path).removeprefix(".")
        return DocumentError(f"{_shortened(path) or 'the whole'} {wrong}")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(r"^[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789"))


def _step(index: Any) -> str:  # noqa: ANN401 - a node or a number
    """Return how a path goes on to a value."""
    if index is None:
        return ""
    return f"[{index}]" if isinstance(index, int) else f".{_shortened(str(index.value), _NAME_SHOWN_MAX)}"
