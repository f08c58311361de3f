"""Avro encoders written for one schema: Python source made from the schema, which reads the struct directly.

They are several times as fast as converting to a dict for the general writer, with which a property test compares them.
The pieces of a record are joined at once: a call or a concatenation for each would cost as much as all the rest.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Schema = str | list[Any] | dict[str, Any]

_LONG_MIN, _LONG_MAX = -(1 << 63), (1 << 63) - 1
_PAIR_BITS = 14
_PAIR_MAX = (1 << _PAIR_BITS) - 1

_OPEN_PAIRS = [bytes((value & 127 | 128, value >> 7 | 128)) for value in range(_PAIR_MAX + 1)]
"""Two bytes of a varint that is longer, by their fourteen bits."""
_LAST_PAIRS = [
    bytes((value & 127 | 128, value >> 7)) if value >> 7 else bytes((value,)) for value in range(_PAIR_MAX + 1)
]
"""The last byte or two of a varint, by the value that is left."""
SMALL = _LAST_PAIRS[::2]
"""Whole longs, from 0 on."""
packed = struct.Struct("<d").pack


@lru_cache(maxsize=1 << 16)
def varint(value: int) -> bytes:
    """Encode a long as Avro's zigzag varint; cached, as times and ids of a customer repeat in fields and rows."""
    if not _LONG_MIN <= value <= _LONG_MAX:
        message = f"{value} does not fit a long"
        raise OverflowError(message)
    left = (value << 1) ^ (value >> 63)
    out = b""
    while left > _PAIR_MAX:
        out += _OPEN_PAIRS[left & _PAIR_MAX]
        left >>= _PAIR_BITS
    return out + _LAST_PAIRS[left]


TEXTS: dict[str, bytes] = {}
"""Strings with their lengths, for places with few different ones: items of an array, and keys of a map."""
_TEXTS_MAX = 1 << 14


def text(value: str) -> bytes:
    """Encode a string with its length, and keep it in TEXTS."""
    written = value.encode()
    if len(TEXTS) >= _TEXTS_MAX:
        TEXTS.clear()
    TEXTS[value] = whole = varint(len(written)) + written
    return whole


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0
        self._is_item = False

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def value(self, schema: Schema, held: str, depth: int) -> list[str]:
        """Write the lines that a value needs, and return expressions of its pieces; `held` names the value."""
        if isinstance(schema, list):
            return self._nullable(schema, held, depth)
        if isinstance(schema, dict) and schema["type"] == "record":
            name = self._named(held, depth)
            fields = [self.value(field["type"], f"{name}.{field['name']}", depth) for field in schema["fields"]]
            return [piece for field in fields for piece in field]
        if isinstance(schema, dict) and schema["type"] in {"array", "map"}:
            return self._blocks(schema, held, depth)
        return self._primitive(schema["type"] if isinstance(schema, dict) else schema, held)

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _named(self, held: str, depth: int) -> str:
        name = self._fresh()
        self.line(depth, f"{name} = {held}")
        return name

    def _nullable(self, union: list[Any], held: str, depth: int) -> list[str]:
        name, written = self._named(held, depth), self._fresh()
        self.line(depth, f"if {name} is None: {written} = b'\\x00'")
        self.line(depth, "else:")
        pieces = self.value(union[1], name, depth + 1)
        self.line(depth + 1, f"{written} = b''.join((b'\\x02', {', '.join(pieces)}))")
        return [written]

    def _blocks(self, schema: dict[str, Any], held: str, depth: int) -> list[str]:
        name, written, item = self._named(held, depth), self._fresh(), self._fresh()
        items = self._fresh()
        self.line(depth, f"if not {name}: {written} = b'\\x00'")
        self.line(depth, "else:")
        self.line(depth + 1, f"{items} = [varint(len({name}))]")
        if schema["type"] == "map":
            self.line(depth + 1, f"for {item}k, {item} in {name}.items():")
            pieces = [f"texts.get({item}k) or text({item}k)", *self.value(schema["values"], item, depth + 2)]
        else:
            self.line(depth + 1, f"for {item} in {name}:")
            self._is_item = True
            pieces = self.value(schema["items"], item, depth + 2)
            self._is_item = False
        self.line(depth + 2, f"{items} += ({', '.join(pieces)},)")
        self.line(depth + 1, f"{items}.append(b'\\x00')")
        self.line(depth + 1, f"{written} = b''.join({items})")
        return [written]

    def _primitive(self, kind: str, held: str) -> list[str]:
        if kind in {"long", "int"}:
            return [f"small[n] if 0 <= (n := {held}) < {len(SMALL)} else varint(n)"]
        if kind == "string" and self._is_item:
            return [f"texts.get(s := {held}) or text(s)"]
        if kind in {"string", "bytes"}:
            written = f"{held}.encode()" if kind == "string" else held
            return [f"small[n] if (n := len(b := {written})) < {len(SMALL)} else varint(n)", "b"]
        if kind == "boolean":
            return [f"b'\\x01' if {held} else b'\\x00'"]
        if kind == "double":
            return [f"packed({held})"]
        message = f"no encoder for Avro type {kind!r}"
        raise TypeError(message)


def written_encoder(schema: dict[str, Any]) -> str:
    """Return the source of `encode_<record>(header, record)`."""
    writer = _Writer()
    writer.line(0, f"def encode_{schema['name']}(header: bytes, record: '{schema['name']}') -> bytes:")
    writer.line(1, "small, texts = SMALL, TEXTS")
    pieces = writer.value(schema, "record", 1)
    writer.line(1, f"return b''.join((header, {', '.join(pieces)}))")
    return "\n".join(writer.lines)


def compile_encoder(schema: dict[str, Any]) -> Callable[[bytes, Any], bytes]:
    """Return a function (header, struct) -> header and Avro body, for a record schema."""
    scope: dict[str, Any] = {"varint": varint, "text": text, "TEXTS": TEXTS, "SMALL": SMALL, "packed": packed}
    exec(written_encoder(schema), scope)  # noqa: S102 - source made from our own schema files only
    encode: Callable[[bytes, Any], bytes] = scope[f"encode_{schema['name']}"]
    return encode
