"""How records are framed, and whether the registry holds the schemas for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.catalogue import RECORDS
from schemas.wire import RegistryUnusable
from streams.doctor.finding import fail, ok, warn
from streams.kafka.reader import read_committed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding
    from streams.kafka.registry import Registered

_CONFLUENT = b"\x00"
_LOOKED_AT = 20


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
    url = cluster.settings.registry_url
    try:
        # slow to import, and an extra: only where there is a registry
        from streams.kafka.registry import registered, shown  # noqa: PLC0415
    except RegistryUnusable as missing:
        yield fail("schemas", str(missing), "install it in every place where a worker or a command of this prefix runs")
        return
    try:
        found = registered(url, cluster.topics)
    except RegistryUnusable as error:
        advice = "make sure that it runs and that TOUCHSTREAM_REGISTRY_URL is its address"
        yield fail("schemas", str(error), advice)
        return
    yield from _judge(shown(url), found)


def _judge(url: str, found: Registered) -> Iterator[Finding]:
    loose = sorted(subject for subject, rule in found.rules.items() if rule != "BACKWARD")
    if found.unfit:
        yield fail(
            "schemas",
            f"registry {url} holds schemas that are incompatible with ours: {', '.join(found.unfit)}",
            "this release cannot write there: use the release that registered them, or another prefix",
        )
    if found.missing:
        seen = f"registry {url} lacks {', '.join(found.missing)}"
        yield warn("schemas", seen, "start a worker: it registers them")
    if loose:
        yield warn(
            "schemas",
            f"registry {url} does not have the compatibility BACKWARD for {', '.join(loose)}",
            "start a worker: it sets it; then find out who changes it",
        )
    if not (found.unfit or found.missing or loose):
        yield ok("schemas", f"all {len(found.rules)} are in registry {url}, with compatibility BACKWARD")
