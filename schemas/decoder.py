"""Avro decoders written for one schema: Python source made from the schema, which builds the struct directly.

They are several times as fast as decoding to a dict and converting that. A property test compares them with fastavro,
which is also the fallback for other writers' schemas.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Schema = str | list[Any] | dict[str, Any]

_VARINT_BYTES_MAX, _LONG_BITS = 10, 64
_MORE: Final = 128
"""A byte of a varint from this value on says that another one follows."""
_LAST_BYTES, _LAST_OF_SIX_MAX = 3, 1 << 15
_LAST_OF_SIX: dict[bytes, int] = {}
"""Values of the last three bytes of a varint of six. A time in ms has six, and these change each 17 minutes."""
double = struct.Struct("<d").unpack_from
_NAMES_MAX, _NAME_BYTES_MAX = 4_096, 64
names: dict[bytes, str] = {}
"""Keys of maps that came before: a shop has few names, and makes each of them known once."""


class Malformed(ValueError):
    """The bytes are not of the schema."""


class TooMany(Malformed):
    """An array or a map has more items than a record of this type may have."""


def tail(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Read the rest of a zigzag varint after its first byte: (raw unsigned value, next position)."""
    second = data[at]
    if second < _MORE:
        return first - _MORE + (second << 7), at + 1
    third = data[at + 1]
    low = first - _MORE + (second - _MORE << 7) + (third << 14)
    if third < _MORE:
        return low, at + 2
    low -= _MORE << 14
    last = data[at + 2 : at + 5]
    high = _LAST_OF_SIX.get(last)
    if high is not None:
        return low + high, at + 5
    high, at = _bytewise(data, at + 2)
    if last[-1] < _MORE and len(last) == _LAST_BYTES and last[0] & last[1] & _MORE:
        if len(_LAST_OF_SIX) >= _LAST_OF_SIX_MAX:
            _LAST_OF_SIX.clear()
        _LAST_OF_SIX[last] = high
    return low + high, at


def _bytewise(data: bytes, at: int) -> tuple[int, int]:
    """Read as tail does, from the fourth byte on."""
    value = 0
    for index in range(_VARINT_BYTES_MAX - 3):
        byte = data[at + index]
        value |= (byte & 127) << 21 + 7 * index
        if byte < _MORE and value < 1 << _LONG_BITS:
            return value, at + index + 1
    message = "a varint of more than 64 bits"
    raise Malformed(message)


def named(data: bytes) -> str:
    """Read a key of a map."""
    name = data.decode()
    if len(names) < _NAMES_MAX and len(data) <= _NAME_BYTES_MAX:
        names[data] = name
    return name


def length(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Read a length that takes more than a byte, as tail does; first may also be a whole byte that is negative."""
    value, at = tail(data, at, first) if first >= _MORE else (first, at)
    if value & 1:
        message = "a negative length"
        raise Malformed(message)
    return value, at


class _Writer:
    """The source of one decoder, line by line."""

    def __init__(self, types: Mapping[str, type], items_max: int | None) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "tail": tail,
            "length": length,
            "names": names,
            "named": named,
            "Malformed": Malformed,
            "TooMany": TooMany,
            "double": double,
            "Any": Any,
        }
        self._types = types
        self._items_max = items_max
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def raw(self, depth: int) -> None:
        """Write the lines that read a varint into n, still zigzag."""
        self.line(depth, "n = b[p]; p += 1")
        self.line(depth, "if n > 127:")
        self.line(depth + 1, "m = b[p]")
        self.line(depth + 1, "if m < 128: n += (m << 7) - 128; p += 1")
        self.line(depth + 1, "else: n, p = tail(b, p, n)")

    def value(self, schema: Schema, depth: int) -> str:
        """Write the lines that read one value, and return the name that holds it."""
        name = self.fresh()
        if isinstance(schema, list):
            self._nullable(schema, name, depth)
        elif isinstance(schema, dict) and schema["type"] == "record":
            self._record(schema, name, depth)
        elif isinstance(schema, dict) and schema["type"] in {"array", "map"}:
            self._blocks(schema, name, depth)
        else:
            self._primitive(schema["type"] if isinstance(schema, dict) else schema, name, depth)
        return name

    def _primitive(self, kind: str, name: str, depth: int) -> None:
        if kind in {"long", "int"}:
            self.raw(depth)
            self.line(depth, f"{name} = (n >> 1) ^ -(n & 1)")
        elif kind in {"string", "bytes"}:
            self.line(depth, "n = b[p]; p += 1")
            self.line(depth, "if n & 129: n, p = length(b, p, n)")
            self.line(depth, "q = p + (n >> 1)")
            self.line(depth, f"{name} = b[p:q]{'.decode()' if kind == 'string' else ''}; p = q")
        elif kind == "boolean":
            self.line(depth, "n = b[p]; p += 1")
            self.line(depth, "if n > 1: raise Malformed('not a boolean')")
            self.line(depth, f"{name} = n == 1")
        elif kind == "double":
            self.line(depth, f"{name} = double(b, p)[0]; p += 8")
        else:
            message = f"no decoder for Avro type {kind!r}"
            raise TypeError(message)

    def _nullable(self, union: list[Any], name: str, depth: int) -> None:
        if len(union) != 2 or union[0] != "null":  # noqa: PLR2004 - null and one more
            message = f"only unions of null and one type are written: {union!r}"
            raise TypeError(message)
        self.line(depth, "n = b[p]; p += 1")
        self.line(depth, f"if not n: {name} = None")
        self.line(depth, "elif n == 2:")
        inner = self.value(union[1], depth + 1)
        self.line(depth + 1, f"{name} = {inner}")
        self.line(depth, "else: raise Malformed('no such branch of a union')")

    def _record(self, schema: dict[str, Any], name: str, depth: int) -> None:
        kind = self._types[schema["name"]]
        self.names[schema["name"]] = kind
        held = {field["name"]: self.value(field["type"], depth) for field in schema["fields"]}
        # by position: a struct of eighteen fields takes twelve times as long by name
        fields = [field.name for field in msgspec.structs.fields(kind)]
        if fields[: len(held)] != [name for name in fields if name in held]:
            message = f"{schema['name']} lacks a field before others of its type"
            raise TypeError(message)
        fields = fields[: len(held)]  # an earlier schema lacks the last ones, which have defaults
        self.line(depth, f"{name} = {schema['name']}({', '.join(held[field] for field in fields)})")

    def _blocks(self, schema: dict[str, Any], name: str, depth: int) -> None:
        of_map = schema["type"] == "map"
        self.line(depth, f"{name}: Any = {'{}' if of_map else '()'}")
        count, items = self.fresh(), self.fresh()
        self.line(depth, "if b[p]:")
        # a compiler writes faster code for what it knows the type of
        self.line(depth + 1, f"{items}: {'dict[str, Any] = {}' if of_map else 'list[Any] = []'}")
        self.line(depth + 1, f"{count} = 0")
        self.line(depth + 1, "while True:")
        self.raw(depth + 2)
        self.line(depth + 2, "if not n: break")
        # a block with its size in bytes, of which a reader that skips nothing has no use, has a negative count
        self.line(depth + 2, "k = n + 1 >> 1")
        self.line(depth + 2, "if n & 1:")
        self.raw(depth + 3)
        self.line(depth + 2, f"{count} += k")
        self.line(depth + 2, f"if {count} > len(b): raise Malformed('more items than bytes')")
        if self._items_max is not None:
            self.line(depth + 2, f"if {count} > {self._items_max}: raise TooMany('more than {self._items_max} items')")
        self.line(depth + 2, "for _ in range(k):")
        if of_map:
            key = self.value("bytes", depth + 3)
            self.line(depth + 3, f"s = names.get({key})")
            self.line(depth + 3, f"if s is None: s = named({key})")
            held = self.value(schema["values"], depth + 3)
            self.line(depth + 3, f"{items}[s] = {held}")
        else:
            held = self.value(schema["items"], depth + 3)
            self.line(depth + 3, f"{items}.append({held})")
        self.line(depth + 1, f"{name} = {items if of_map else f'tuple({items})'}")
        self.line(depth, "else: p += 1")


def written_decoder(
    schema: dict[str, Any], types: Mapping[str, type], start: int, items_max: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the source of `decode_<record>(b, p=start)`, and the names that it needs.

    An array or a map may have `items_max` items; None: as many as the record has bytes, since each takes one or more.
    """
    writer = _Writer(types, items_max)
    writer.line(0, f"def decode_{schema['name']}(b: bytes, p: int = {start}) -> '{schema['name']}':")
    result = writer.value(schema, 1)
    writer.line(1, "if p != len(b): raise Malformed('truncated, or bytes left over')")
    writer.line(1, f"return {result}")
    return "\n".join(writer.lines), writer.names


def compile_decoder(
    schema: dict[str, Any], types: Mapping[str, type], start: int, items_max: int | None = None
) -> Callable[[bytes], Any]:
    """Return a function data -> struct for a record schema, in time that the data's length bounds.

    The body begins at `start`, and `types` has a struct for each name. The function raises Malformed (TooMany is one),
    IndexError or struct.error (truncated), or UnicodeDecodeError.
    """
    source, scope = written_decoder(schema, types, start, items_max)
    exec(source, scope)  # noqa: S102 - source made from our own schema files only
    decode: Callable[[bytes], Any] = scope[f"decode_{schema['name']}"]
    return decode
