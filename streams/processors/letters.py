"""Dead letters of records that could not be used, with the source's position and the bytes as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outputs import NOT_WHOLE, DeadLetter

if TYPE_CHECKING:
    from confluent_kafka import Message

_DETAIL_MAX = 8_000
_WHOLE_BYTES_MAX = 10 * 1024 * 1024
"""A record up to this size is kept as it came: more than touchpoints takes, less than the dead letters do."""
_KEY_BYTES_MAX = 1_024


def dead_letter(stage: str, reason: str, detail: str, message: Message) -> DeadLetter:
    """The dead letter of a Kafka record; its own key is to be the letter's, which is short."""
    headers = {name: bytes(value or b"") for name, value in message.headers() or ()}
    key, value = message.key(), message.value()
    # the key comes twice
    size = 2 * len(key or b"") + len(value or b"") + sum(len(name) + len(held) for name, held in headers.items())
    if size > _WHOLE_BYTES_MAX:
        # batches are limited as they are compressed: anything may have been in one
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
