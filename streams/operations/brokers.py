"""The first contact with the brokers: whether one answers, and if none does, why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka.admin import ClusterMetadata

    from streams.worker_settings import WorkerSettings

# an answer that takes long fits into the later ones
_ASKS_SECONDS = (0.5, 1.0, 2.0, 4.0, 4.0)
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - its name
# these do not pass by waiting
_REFUSALS = {KafkaError._AUTHENTICATION, KafkaError._SSL}  # noqa: SLF001 - their names


class NoBroker(Exception):
    """No broker answers, or none accepts us; the message says where, why and which settings matter."""


def ask_brokers(settings: WorkerSettings) -> ClusterMetadata:
    """Return the cluster's brokers and topics.

    Raises:
        NoBroker: after twelve seconds, or soon when the connection is refused for its password or certificate.
        KafkaException: librdkafka does not know a setting.
    """
    errors: list[KafkaError] = []
    # the client's own log would say the same several times over
    config = {"log_level": 0, **settings.kafka, "bootstrap.servers": settings.brokers, "error_cb": errors.append}
    client = AdminClient(config)
    for number, seconds in enumerate(_ASKS_SECONDS):
        try:
            return client.list_topics(timeout=seconds)
        except KafkaException:
            client.poll(0)
        refusal = next((each for each in errors if each.code() in _REFUSALS), None)
        # after the first, another broker may still let us in
        if refusal is not None and number > 0:
            raise NoBroker(
                f"no broker at {settings.brokers} accepts the connection: {refusal.str()} "
                "(check TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL, ..._SASL_*, ..._SSL_*)"
            )
    raise NoBroker(
        f"no broker answers at {settings.brokers} (--brokers or TOUCHSTREAM_BROKERS): {_seen(errors, settings.kafka)}"
    )


def _seen(errors: Sequence[KafkaError], kafka: Mapping[str, str]) -> str:
    said: list[str] = [each.str() for each in errors if each.code() != _ALL_DOWN]
    if said:
        return said[0]
    if not errors:
        return f"no answer in {sum(_ASKS_SECONDS):.0f} s"
    # librdkafka has no message of its own for it
    protocol = kafka.get("security.protocol", "PLAINTEXT")
    return f"the connection is closed at once; does that port use {protocol} (TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL)?"
