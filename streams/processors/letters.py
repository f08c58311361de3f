"""Dead letters of records that could not be used, with the source's position and the bytes as they came."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from schemas.outputs import DeadLetter

if TYPE_CHECKING:
    from confluent_kafka import Message

RAISED = "raised"
_DETAIL_MAX = 8_000


def dead_letter(stage: str, reason: str, detail: str, message: Message) -> DeadLetter:
    """The dead letter of a Kafka record."""
    headers = {name: bytes(value or b"") for name, value in message.headers() or ()}
    return DeadLetter(
        reason=reason,
        detail=detail[-_DETAIL_MAX:],
        stage=stage,
        source_topic=message.topic() or "",
        source_partition=message.partition() or 0,
        source_offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=headers,
    )


def raised_detail(error: Exception) -> str:
    """The traceback of an unexpected exception."""
    return "".join(traceback.format_exception(error))
