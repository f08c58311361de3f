"""Encodes and decodes records in either of two framings, which the first bytes tell apart.

Avro single-object encoding (C3 01, fingerprint; Avro 1.11) needs only this package. The Confluent framing (00, 4-byte
id) needs the registry that gave the id. Readers take both.
"""

from __future__ import annotations

import io
from functools import partial
from struct import error as StructError  # noqa: N812 - a class, whatever its name
from typing import TYPE_CHECKING, Any, Final, TypeVar

import fastavro
import msgspec

from schemas import written
from schemas.catalogue import (
    ITEMS_MAX,
    RECORDS,
    SINGLE_OBJECT_MARK,
    STRUCTS,
    parsed_schema,
    raw_schema,
    released_schemas,
    single_object_header,
)
from schemas.decoder import Malformed, TooMany, compile_decoder
from schemas.encoder import compile_encoder
from schemas.refusal import Refusal
from schemas.writers import UnusableSchema, check_writers_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_SINGLE_OBJECT_BYTES: Final = 10
_CONFLUENT_BYTES: Final = 5
_REASON_MAX = 100
_REFUSED_MAX = 1_000
"""Ids of schemas whose refusal is remembered, so that the registry is not asked again for each record."""
_ENCODERS: dict[type, Callable[[bytes, Any], bytes]] = {
    struct: getattr(written, f"encode_{struct.__name__}", None) or compile_encoder(raw_schema(name))
    for name, struct in RECORDS.items()
}


class WireError(Refusal):
    """The bytes are no record of ours."""


class RegistryUnusable(Exception):
    """The registry does not answer, or refuses a schema of this release; that is not the record's fault."""


class _Type:
    """One type of record under one header; `read` is `general`, or the decoder written for a schema of ours."""

    __slots__ = ("_header_bytes", "_is_current", "_schema", "_writer", "name", "read", "struct")

    def __init__(self, name: str, framing: bytes, writer_schema: dict[str, Any]) -> None:
        self.name = name
        self._header_bytes = len(framing)
        self.struct = RECORDS[name]
        self._writer = fastavro.parse_schema(writer_schema)
        header = single_object_header(writer_schema)
        ours = [raw_schema(name), *released_schemas(name)]
        self._schema = next((schema for schema in ours if single_object_header(schema) == header), None)
        self._is_current = self._schema is ours[0]
        self.read: Callable[[bytes], Any] = self.general if self._schema is None else self._first

    def _first(self, value: bytes) -> Any:  # noqa: ANN401 - one of RECORDS
        ours = getattr(written, f"decode_{self.struct.__name__}", None) if self._is_current else None
        # written when it is first needed, so that a worker's start does not wait for all of them
        if ours is None:
            schema = self._schema or raw_schema(self.name)
            self.read = compile_decoder(schema, STRUCTS, self._header_bytes, ITEMS_MAX.get(self.name))
        else:
            self.read = ours if self._header_bytes == _SINGLE_OBJECT_BYTES else partial(ours, p=self._header_bytes)
        return self.read(value)

    def general(self, value: bytes) -> Any:  # noqa: ANN401 - one of RECORDS
        body = io.BytesIO(value)
        body.seek(self._header_bytes)
        try:
            read = fastavro.schemaless_reader(body, self._writer, parsed_schema(self.name))
            return msgspec.convert(read, self.struct)
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever the bytes make it raise
            raise WireError("malformed", f"{self.name}: {type(error).__name__}") from None


def _read(found: _Type, value: bytes) -> Any:  # noqa: ANN401 - one of RECORDS
    try:
        return found.read(value)
    except (Malformed, IndexError, UnicodeDecodeError, StructError) as error:
        raise WireError("too_many" if isinstance(error, TooMany) else "malformed", f"{found.name}: {error}") from None


class Wire:
    """A codec of records; with `ids` (record name -> registry id) it writes the Confluent framing."""

    def __init__(
        self, ids: Mapping[str, int] | None = None, schema_of: Callable[[int], tuple[str, dict[str, Any]]] | None = None
    ) -> None:
        """`schema_of` asks the registry for an id's (record name, writer's schema), or raises LookupError."""
        self._headers: dict[type, bytes] = {}
        self._types: dict[bytes, _Type] = {}
        self._schema_of = schema_of
        self._refused: dict[bytes, str] = {}
        for name, struct in RECORDS.items():
            for schema in [*released_schemas(name), raw_schema(name)]:
                header = single_object_header(schema)
                self._types[header] = _Type(name, header, schema)
            self._headers[struct] = header
            if ids is not None:
                self._headers[struct] = b"\x00" + ids[name].to_bytes(4, "big")
                self._types[self._headers[struct]] = _Type(name, self._headers[struct], raw_schema(name))

    def header(self, struct: type) -> bytes:
        """Return the bytes with which this wire begins every record of this type."""
        return self._headers[struct]

    def encode(self, record: msgspec.Struct) -> bytes:
        """Return the framed Avro bytes of a record."""
        kind = type(record)
        return _ENCODERS[kind](self._headers[kind], record)

    def decode(self, value: bytes) -> Any:  # noqa: ANN401 - one of RECORDS
        """Return the record in framed bytes.

        Raises:
            WireError: no framing of ours, an unknown schema, or bytes that are not of the schema.
        """
        return _read(self._found(value), value)

    def decode_as(self, struct: type[T], value: bytes) -> T:
        """Return the record in framed bytes, which must be of this type.

        Raises:
            WireError: as decode, and for another type of record, which is not decoded.
        """
        record: T = self.decode_one_of((struct,), value)
        return record

    def decode_one_of(self, structs: tuple[type, ...], value: bytes) -> Any:  # noqa: ANN401 - one of RECORDS
        """Return the record in framed bytes, which must be of one of these types.

        Raises:
            WireError: as decode, and for another type of record, which is not decoded.
        """
        found = self._found(value)
        if found.struct not in structs:
            expected = " or a ".join([struct.__name__ for struct in structs])
            raise WireError("unexpected_type", f"this is a {found.struct.__name__}, where a {expected} was expected")
        return _read(found, value)

    def is_a(self, struct: type, value: bytes) -> bool:
        """Return whether framed bytes say that they are of this type; no registry is asked."""
        types = self._types
        found = types.get(value[:_SINGLE_OBJECT_BYTES]) or types.get(value[:_CONFLUENT_BYTES])
        return found is not None and found.struct is struct

    def _found(self, value: bytes) -> _Type:
        types = self._types
        return types.get(value[:_SINGLE_OBJECT_BYTES]) or types.get(value[:_CONFLUENT_BYTES]) or self._learn(value)

    def _learn(self, value: bytes) -> _Type:
        if value[:2] == SINGLE_OBJECT_MARK and len(value) > _SINGLE_OBJECT_BYTES:
            raise WireError(
                "unknown_schema", f"no schema with fingerprint {value[2:_SINGLE_OBJECT_BYTES].hex()} in this release"
            )
        if value[:1] != b"\x00" or len(value) <= _CONFLUENT_BYTES:
            begins = value[:2].hex() or "nothing"
            raise WireError("not_avro", f"the record is in neither of our two framings: it begins with {begins}")
        number = int.from_bytes(value[1:_CONFLUENT_BYTES], "big")
        if self._schema_of is None:
            raise WireError("unknown_schema", f"schema id {number}, but no registry is configured")
        head = value[:_CONFLUENT_BYTES]
        if head in self._refused:
            raise WireError("unknown_schema", self._refused[head])
        try:
            name, schema = self._schema_of(number)
            self._types[head] = found = _foreign(name, head, schema)
        except LookupError as error:
            refusal = f"schema id {number}: {error}"
            if len(self._refused) < _REFUSED_MAX:
                self._refused[head] = refusal
            raise WireError("unknown_schema", refusal) from None
        return found


def _foreign(name: str, header: bytes, schema: dict[str, Any]) -> _Type:
    check_writers_schema(schema)
    try:
        return _Type(name, header, schema)
    except Exception as error:  # noqa: BLE001 - fastavro raises whatever the schema makes it raise
        raise UnusableSchema(f"{type(error).__name__}: {str(error)[:_REASON_MAX]}") from None


SINGLE_OBJECT = Wire()
encode: Callable[[msgspec.Struct], bytes] = SINGLE_OBJECT.encode
"""Its type is written out for mypyc, which may meet a use first."""
decode = SINGLE_OBJECT.decode
decode_as = SINGLE_OBJECT.decode_as
