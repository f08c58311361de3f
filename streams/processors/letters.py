"""Dead letters of records that could not be used, with their source position and the bytes as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.limits import (
    LETTER_BYTES_MAX,
    LETTER_DETAIL_MAX,
    LETTER_HEADERS_MAX,
    LETTER_KEY_BYTES_MAX,
    OUTPUT_BYTES_MAX,
    TEXT_BYTES_MAX,
)
from schemas.outputs import NOT_WHOLE, DeadLetter
from streams.collect.doors import HEADERS as DOOR_HEADERS
from streams.collect.doors import is_json
from streams.collect.hiding import masked
from streams.kafka.headers import readable_headers

if TYPE_CHECKING:
    from confluent_kafka import Message

LETTERS_PARTITION = 0
"""Of `dead-letters`, which has one, so that letters have one order; a record without a key has its place there too."""
CONDEMNED_BYTES_MAX = OUTPUT_BYTES_MAX // 2
"""A record with which nothing could be committed may have been too large itself, so its letter is small."""


class _Held(NamedTuple):
    """What is kept of a record."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def dead_letter(
    stage: str, reason: str, detail: str, message: Message, bytes_max: int = LETTER_BYTES_MAX
) -> DeadLetter:
    """Make the dead letter of a Kafka record, to be sent under the letter's key, which is short.

    Its detail has no address and no phone number, whatever a traceback or an error quotes.
    """
    given = readable_headers(message)
    headers = {name: bytes(value or b"") for name, value in given[:LETTER_HEADERS_MAX]}
    key, value = message.key(), message.value()
    # the key is there twice
    size = 2 * len(key or b"") + len(value or b"") + sum([len(name) + len(held) for name, held in headers.items()])
    # the broker limits batches as they are compressed, so a record in one may have any size
    if size > bytes_max or len(given) > LETTER_HEADERS_MAX:
        detail = f"{detail} ({NOT_WHOLE}: {size} bytes, {len(given)} headers)"
        key, value, headers = (key or b"")[:LETTER_KEY_BYTES_MAX], (value or b"")[: bytes_max // 2], {}
    return _letter(stage, (reason, detail), message, _Held(key, value, headers))


def dead_letter_of_part(stage: str, reason: str, detail: str, message: Message, value: bytes) -> DeadLetter:
    """Make the dead letter of one part of a record of JSON, which has the part alone.

    A batch may have thousands of parts, so a letter has the beginning of the key and the headers that a door reads.
    """
    given = readable_headers(message)[:LETTER_HEADERS_MAX]
    headers = {name: bytes(held or b"")[:TEXT_BYTES_MAX] for name, held in given if name in DOOR_HEADERS}
    key = (message.key() or b"")[:LETTER_KEY_BYTES_MAX]
    return _letter(stage, (reason, detail), message, _Held(key, value, headers))


def _letter(stage: str, why: tuple[str, str], message: Message, held: _Held) -> DeadLetter:
    reason, detail = why
    return DeadLetter(
        reason=reason,
        detail=masked(detail.encode(errors="backslashreplace").decode())[-LETTER_DETAIL_MAX:],
        stage=stage,
        source_topic=message.topic() or "",
        source_partition=message.partition() or 0,
        source_offset=message.offset() or 0,
        key=held.key,
        value=held.value,
        headers=held.headers,
        received_ms=message.timestamp()[1] if held.value and is_json(held.value) else 0,
    )
