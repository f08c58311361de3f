"""How far an import has come: what its last transaction said, in the state of the workers or behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from xxhash import xxh3_128

from schemas.journal import Imported
from schemas.wire import WireError
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streams.operations.prefix import Prefix
    from streams.replay.files.mapping import Mapping

PARTITION = 0
"""Of the journal, where imports say how far they came."""
_CHUNK_BYTES = 1 << 20


def import_id_of(paths: Iterable[Path], mapping: Mapping | None) -> str:
    """Return xxh3-128 (hex) of the contents of the files, in order, and of what their mapping says.

    Raises:
        OSError: a file cannot be read.
    """
    found = xxh3_128()
    for path in paths:
        found.update(b"%d:" % path.stat().st_size)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                found.update(chunk)
    # without what is as by default: a later release may know more keys
    found.update(b"" if mapping is None else mapping.model_dump_json(exclude_defaults=True).encode())
    return found.hexdigest()


def progress_of(prefix: Prefix, import_id: str) -> Imported:
    """Return how far an import has come; its writer must be fenced, or it may go on.

    Raises:
        NewerState: a later release wrote the state.
    """
    # what is folded between the two reads is found twice, and not missed
    folded = prefix.folded_to()[PARTITION]
    found = _folded(prefix, import_id)
    for message in prefix.read("journal", PARTITION, folded):
        try:
            record = prefix.wire.decode_one_of((Imported,), message.value() or b"")
        except WireError:
            continue
        if isinstance(record, Imported) and record.import_id == import_id:
            found = max(found, record, key=msgspec.structs.astuple)
    return found


def _folded(prefix: Prefix, import_id: str) -> Imported:
    stored = None
    for message in prefix.read("profiles_changelog", PARTITION):
        if message.key() == PARTITION_KEY:
            stored = message.value()
    state = JournalCodec().decode(PARTITION_KEY, stored) if stored is not None else None
    held = state.imports if isinstance(state, PartitionState) else ()
    for each in held:
        if each[0] == import_id:
            return Imported(*each)
    return Imported(import_id, 0)
