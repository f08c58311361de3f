"""Avro object container files (Avro 1.11), deflated: blocks of records of one schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import fastavro
from fastavro.schema import to_parsing_canonical_form
from xxhash import xxh3_128_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

SUFFIX = ".avro"
_MAGIC = b"Obj\x01"


class ContainerError(ValueError):
    """The file is not a whole container of the records asked for; the message names the file and the block."""


def write_blocks(path: Path, schema: Any, name: str, records: Iterable[object]) -> int:  # noqa: ANN401 - fastavro's own parsed form
    """Write records of that `name` in the order given, as a whole file or none, and return their number."""
    count = 0

    def counted() -> Iterator[object]:
        nonlocal count
        for record in records:
            count += 1
            yield record

    # the format wants 16 bytes that data will hardly contain; always the same, so that equal input gives equal files
    marker = xxh3_128_digest(f"{name} container".encode())
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        fastavro.writer(file, schema, counted(), codec="deflate", sync_marker=marker)
    unfinished.replace(path)
    return count


def read_blocks(path: Path, schema: Any, name: str, made: Callable[[Any], T]) -> Iterator[T]:  # noqa: ANN401 - fastavro's own parsed form
    """Yield what `made` makes of each record in file order, of a block as a whole or not at all.

    Raises:
        ContainerError: it cannot be read, holds no records of that `name`, or is cut off or damaged.
    """
    number = 0
    try:
        with path.open("rb") as file:
            _check_magic(path, file.read(len(_MAGIC)))
            file.seek(0)
            blocks = fastavro.block_reader(file)
            _check_schema(path, blocks.writer_schema, name)
            if to_parsing_canonical_form(blocks.writer_schema) != to_parsing_canonical_form(schema):
                # to resolve two schemas takes twice as long, even if they are equal
                file.seek(0)
                blocks = fastavro.block_reader(file, schema)
            for block in blocks:
                records = [made(record) for record in block]
                number += 1
                yield from records
    except ContainerError:
        raise
    except OSError as error:
        message = f"{path}: cannot be read: {error}"
        raise ContainerError(message) from None
    except Exception as error:
        # fastavro raises whatever the bytes make it raise
        message = f"{path}: block {number + 1} is cut off or damaged ({type(error).__name__}: {error})"
        raise ContainerError(message) from error


def _check_magic(path: Path, found: bytes) -> None:
    if found != _MAGIC:
        message = f"{path}: is not an Avro object container file, which begins with 'Obj' and 01"
        raise ContainerError(message)


def _check_schema(path: Path, schema: object, expected: str) -> None:
    name = schema.get("name") if isinstance(schema, dict) else schema
    if name not in {expected, expected.rpartition(".")[2]}:
        message = f"{path}: holds records of {name}; expected {expected}"
        raise ContainerError(message)
