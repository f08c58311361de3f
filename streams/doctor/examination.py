"""All checks, each after those that it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from streams.doctor.brokers import check_brokers
from streams.doctor.clock import check_clock
from streams.doctor.cluster import open_cluster
from streams.doctor.finding import fail, ok, warn
from streams.doctor.group import check_group
from streams.doctor.machine import check_disk, check_settings
from streams.doctor.schemas import check_schemas
from streams.doctor.topics import check_topics
from streams.operations.brokers import NoBroker, ask_brokers
from streams.operations.create import NotCreated, read_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding
    from streams.worker_settings import WorkerSettings

_CHECKS: dict[str, Callable[[Cluster], Iterator[Finding]]] = {
    "broker settings": check_brokers,
    "topics": check_topics,
    "schemas": check_schemas,
    "group": check_group,
    # last: the marker of its transaction would count as lag
    "clock": check_clock,
}
_REFUSED = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def examine(settings: WorkerSettings) -> Iterator[Finding]:
    """Yield findings as they come; stop after the local checks if no broker answers.

    Raises:
        KafkaException: librdkafka does not know a setting.
    """
    yield from check_settings(settings)
    yield from check_disk(settings)
    try:
        metadata = ask_brokers(settings)
        yield ok("brokers", f"{len(metadata.brokers)} at {settings.brokers}, cluster {metadata.cluster_id}")
        domain = read_domain(settings)
    except NoBroker as error:
        yield fail("brokers", str(error), "make sure that they run, and check address, protocol and password")
        return
    except NotCreated as error:
        seen, _, advice = str(error).partition(": ")
        yield fail("topics", seen, advice)
        return
    cluster = open_cluster(settings, domain, metadata)
    for name, check in _CHECKS.items():
        yield from _made(name, check, cluster)


def _made(name: str, check: Callable[[Cluster], Iterator[Finding]], cluster: Cluster) -> Iterator[Finding]:
    try:
        yield from check(cluster)
    except KafkaException as error:
        said: KafkaError = error.args[0]
        if said.code() in _REFUSED:
            advice = "run doctor as a user with the rights of the role admin (`touchstream topics acls`)"
            yield warn(name, f"this user may not read this: {said.str()}", advice)
        else:
            yield fail(name, said.str(), "read the brokers' log, then run doctor again")
