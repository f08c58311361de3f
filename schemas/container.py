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
    """The file is not a complete container of such records; the message names the file and the block."""


def write_blocks(path: Path, schema: Any, name: str, records: Iterable[object]) -> int:  # noqa: ANN401 - fastavro's own parsed form
    """Write records of that `name` in the given order and return their number; the file is whole or does not exist."""
    count = 0

    def counted() -> Iterator[object]:
        nonlocal count
        for record in records:
            count += 1
            yield record

    # the format wants sixteen bytes that data hardly contains; always the same, so that equal input gives equal files
    marker = xxh3_128_digest(f"{name} container".encode())
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        fastavro.writer(file, schema, counted(), codec="deflate", sync_marker=marker)
    unfinished.replace(path)
    return count


def read_blocks(path: Path, schema: Any, name: str, made: Callable[[Any], T]) -> Iterator[T]:  # noqa: ANN401 - fastavro's own parsed form
    """Yield what `made` makes of each record in file order; of a damaged block it yields nothing.

    Raises:
        ContainerError: the file cannot be read, does not hold records of that `name`, or is cut off or damaged.
    """
    number = 0
    try:
        with path.open("rb") as file:
            _check_magic(path, file.read(len(_MAGIC)))
            file.seek(0)
            blocks = fastavro.block_reader(file)
            _check_schema(path, blocks.writer_schema, name)
            if to_parsing_canonical_form(blocks.writer_schema) != to_parsing_canonical_form(schema):
                # resolving two schemas takes twice as long, even if they are equal
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
        # fastavro raises any exception, depending on the bytes
        message = f"{path}: block {number + 1} is cut off or damaged ({type(error).__name__}: {error})"
        raise ContainerError(message) from error


def _check_magic(path: Path, found: bytes) -> None:
    if found != _MAGIC:
        message = f"{path}: not an Avro object container file: it does not begin with 'Obj' and 01"
        raise ContainerError(message)


def _check_schema(path: Path, schema: object, expected: str) -> None:
    name = schema.get("name") if isinstance(schema, dict) else schema
    if name not in {expected, expected.rpartition(".")[2]}:
        message = f"{path}: it holds records of {name} instead of {expected}"
        raise ContainerError(message)
