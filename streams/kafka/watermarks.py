"""The beginning and the end of a partition."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka.config import ANSWER_SECONDS

if TYPE_CHECKING:
    from streams.kafka.offsets import PartitionId

_SECONDS_MAX = 60.0
_PAUSE_SECONDS = 0.1


def watermarks(consumer: Consumer, place: PartitionId) -> tuple[int, int]:
    """Return the first offset and the end; for a consumer that reads committed, the end of closed transactions.

    It asks again while the partition has no leader, as just after its creation.
    """
    until = time.monotonic() + _SECONDS_MAX
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].fatal() or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return low, high
