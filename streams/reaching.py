"""The first word with the brokers: whether one answers, and if not, what keeps it from us."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka.admin import ClusterMetadata

    from streams.settings import WorkerSettings

_SECONDS_MAX = 10.0
_ASK_SECONDS = 0.5
# these do not pass by waiting
_REFUSALS = {KafkaError._AUTHENTICATION, KafkaError._SSL}  # noqa: SLF001 - their names


class NoBroker(Exception):
    """No broker answers, or none lets us in; the message says where, why and which settings decide."""


def ask_brokers(settings: WorkerSettings) -> ClusterMetadata:
    """Give what the cluster consists of.

    Raises:
        NoBroker: after ten seconds, or at once when the connection is refused for its password or certificate.
        KafkaException: librdkafka does not know a setting.
    """
    errors: list[KafkaError] = []
    # the client's own log would say the same several times over
    told = {"log_level": 0, **settings.kafka, "bootstrap.servers": settings.brokers, "error_cb": errors.append}
    client = AdminClient(told)
    give_up_at = time.monotonic() + _SECONDS_MAX
    while True:
        try:
            return client.list_topics(timeout=_ASK_SECONDS)
        except KafkaException as error:
            client.poll(0)
            refusal = next((each for each in errors if each.code() in _REFUSALS), None)
            if refusal is not None:
                raise NoBroker(
                    f"no broker at {settings.brokers} lets us in: {refusal.str()} "
                    "(TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL, ..._SASL_*, ..._SSL_*)"
                ) from None
            if time.monotonic() > give_up_at:
                raise NoBroker(
                    f"no broker answers at {settings.brokers} (--brokers or TOUCHSTREAM_BROKERS): "
                    f"{_seen(errors, settings.kafka) or error.args[0].str()}"
                ) from None


def _seen(errors: Sequence[KafkaError], kafka: Mapping[str, str]) -> str | None:
    said = [each.str() for each in errors if each.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 - its name
    if said or not errors:
        return said[0] if said else None
    # librdkafka has no word of its own for it
    protocol = kafka.get("security.protocol", "PLAINTEXT")
    return f"the connection is closed at once; does that port speak {protocol} (TOUCHSTREAM_KAFKA_SECURITY_PROTOCOL)?"
