"""Settings of librdkafka for all its users."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ClientConfig = dict[str, str | int | bool]

ANSWER_SECONDS = 10.0
"""For how long a worker waits for a broker's answer before it asks again or gives up."""
PATIENT_SECONDS = 30.0
"""For how long a command does, which asks once."""

RETRY_BACKOFF_MS, RETRY_BACKOFF_MAX_MS = 250, 1_000
"""After about so long librdkafka repeats a request that was not answered; `TransactionalProducer` relies on it."""
# librdkafka would notice a broker that is back up to ten seconds late, unlike Kafka's own clients
RECONNECT: ClientConfig = {"reconnect.backoff.max.ms": 1_000}


def reader_config(brokers: str, client: Mapping[str, str], group: str = "touchstream-reader") -> ClientConfig:
    """Configure a consumer that joins no group and reads committed records; `group` is for `committed()`."""
    return {
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 10,
        # librdkafka would hold four times as much of each partition that is restored, and malloc would keep it
        "queued.max.messages.kbytes": 16_384,
        **RECONNECT,
        **client,
        "bootstrap.servers": brokers,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }
