"""Dead letters of records that could not be used, with their source position and the bytes as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outputs import NOT_WHOLE, DeadLetter
from streams.kafka.headers import readable_headers

if TYPE_CHECKING:
    from confluent_kafka import Message

LETTERS_PARTITION = 0
"""Of `dead-letters`, which has one, so that letters have one order; a record without a key has its place there too."""
_DETAIL_MAX = 8_000
_WHOLE_BYTES_MAX = 10 * 1024 * 1024
"""A record up to this size is kept as it came: more than `touchpoints` takes, less than `dead-letters` does."""
_KEY_BYTES_MAX = 1_024


def dead_letter(stage: str, reason: str, detail: str, message: Message) -> DeadLetter:
    """Make the dead letter of a Kafka record, to be sent under the letter's key, which is short."""
    headers = {name: bytes(value or b"") for name, value in readable_headers(message)}
    key, value = message.key(), message.value()
    # the key is there twice
    size = 2 * len(key or b"") + len(value or b"") + sum(len(name) + len(held) for name, held in headers.items())
    if size > _WHOLE_BYTES_MAX:
        # the broker limits batches as they are compressed, so a record in one may have any size
        detail = f"{detail} ({NOT_WHOLE}: {size} bytes)"
        key, value, headers = (key or b"")[:_KEY_BYTES_MAX], (value or b"")[: _WHOLE_BYTES_MAX // 2], {}
    return DeadLetter(
        reason=reason,
        detail=detail[-_DETAIL_MAX:],
        stage=stage,
        source_topic=message.topic() or "",
        source_partition=message.partition() or 0,
        source_offset=message.offset() or 0,
        key=key,
        value=value,
        headers=headers,
    )
