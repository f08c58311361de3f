"""How records are framed, and whether the registry holds the schemas for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schemas.catalogue import RECORDS, raw_schema
from streams.doctor.finding import fail, ok, warn
from streams.kafka.reader import read_committed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka.schema_registry import SchemaRegistryClient

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding

_CONFLUENT = b"\x00"
_LOOKED_AT = 20
_NOT_FOUND = 404


def check_schemas(cluster: Cluster) -> Iterator[Finding]:
    if cluster.settings.registry_url:
        yield from _check_registry(cluster)
    elif _is_framed_by_a_registry(cluster):
        yield fail(
            "schemas",
            f"the last records of {cluster.topics.journal} need a schema registry, but none is set",
            "set TOUCHSTREAM_REGISTRY_URL as it was for the workers that wrote them",
        )
    else:
        yield ok("schemas", f"{len(RECORDS)} from the package, without a registry (Avro's single-object encoding)")


def _is_framed_by_a_registry(cluster: Cluster) -> bool:
    journal = cluster.topics.journal
    for (_, number), (low, end) in cluster.ends([place for place in cluster.inputs if place[0] == journal]).items():
        start = {number: max(low, end - _LOOKED_AT)}
        for message in read_committed(cluster.settings.brokers, journal, cluster.settings.kafka, [number], start):
            if (message.value() or b"").startswith(_CONFLUENT):
                return True
    return False


def _check_registry(cluster: Cluster) -> Iterator[Finding]:
    # slow to import, and only where there is a registry
    import httpx  # noqa: PLC0415
    from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError  # noqa: PLC0415

    from streams.kafka.registry import TIMEOUT_SECONDS, shown, subject_of  # noqa: PLC0415

    url = cluster.settings.registry_url
    subjects = {name: subject_of(name, cluster.topics) for name in RECORDS}
    try:
        with SchemaRegistryClient({"url": url, "timeout": TIMEOUT_SECONDS}) as client:
            known = set(client.get_subjects())
            registered = {name: subject for name, subject in subjects.items() if subject in known}
            rules = {subject: _rule(client, subject, SchemaRegistryError) for subject in registered.values()}
            unfit = [subject for name, subject in registered.items() if not _fits(client, subject, name)]
    except (SchemaRegistryError, httpx.HTTPError) as error:
        advice = "make sure that it runs and that TOUCHSTREAM_REGISTRY_URL is its address"
        yield fail("schemas", f"registry {shown(url)}: {error}", advice)
        return
    yield from _judge(shown(url), subjects, rules, unfit)


def _rule(client: SchemaRegistryClient, subject: str, unset: type[Exception]) -> str:
    try:
        return str(client.get_compatibility(subject))
    except unset as error:
        if getattr(error, "http_status_code", None) != _NOT_FOUND:
            raise
        return "unset"


def _fits(client: SchemaRegistryClient, subject: str, name: str) -> bool:
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - only where there is a registry

    return bool(client.test_compatibility(subject, Schema(json.dumps(raw_schema(name)), "AVRO")))


def _judge(url: str, subjects: dict[str, str], rules: dict[str, str], unfit: list[str]) -> Iterator[Finding]:
    missing = sorted(set(subjects.values()) - set(rules))
    loose = sorted(subject for subject, rule in rules.items() if rule != "BACKWARD")
    if unfit:
        yield fail(
            "schemas",
            f"registry {url} holds schemas that are incompatible with ours: {', '.join(sorted(unfit))}",
            "this release cannot write there: use the release that registered them, or another prefix",
        )
    if missing:
        yield warn(
            "schemas",
            f"registry {url} lacks {', '.join(missing)}",
            "start a worker: it registers them",
        )
    if loose:
        yield warn(
            "schemas",
            f"registry {url} does not have the compatibility BACKWARD for {', '.join(loose)}",
            "start a worker: it sets it; then find out who changes it",
        )
    if not (unfit or missing or loose):
        yield ok("schemas", f"all {len(subjects)} are in registry {url}, with compatibility BACKWARD")
