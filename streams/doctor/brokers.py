"""The brokers: their version, and the settings that a worker depends on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

import confluent_kafka

from streams.doctor.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.doctor.cluster import Cluster
    from streams.worker_settings import WorkerSettings

CLEANUP_INTERVAL_MS_MAX = 1_000
OFFSETS_RETENTION_MINUTES_MIN = 20_160
_CLEANUP_INTERVAL = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
_RETENTION = "offsets.retention.minutes"
_DAY_MINUTES = 1_440


def check_brokers(cluster: Cluster) -> Iterator[Finding]:
    configs = {number: cluster.broker_config(number) for number in sorted(cluster.metadata.brokers)}
    yield ok(
        "versions",
        f"touchstream {version('touchstream')}, Python {platform.python_version()}, "
        f"librdkafka {confluent_kafka.libversion()[0]}, brokers: "
        + ", ".join(sorted({broker_version(config) for config in configs.values()})),
    )
    yield from judge_brokers(configs, cluster.settings)


def judge_brokers(configs: Mapping[int, Mapping[str, str]], settings: WorkerSettings) -> Iterator[Finding]:
    """Judge the settings of each broker; a finding about only some brokers names them."""
    found: dict[Finding, list[str]] = {}
    for number, config in configs.items():
        for finding in judge_broker(config, settings):
            found.setdefault(finding, []).append(str(number))
    for finding, numbers in found.items():
        where = "" if len(numbers) == len(configs) else f"broker {', '.join(numbers)}: "
        yield Finding(finding.check, finding.status, f"{where}{finding.seen}", finding.advice)


def broker_version(config: Mapping[str, str]) -> str:
    """Return the version as far as it is known: no request returns it, but each version added and removed settings."""
    written = config.get("inter.broker.protocol.version")
    if written is not None:
        return f"Apache Kafka {written.partition('-')[0]}"
    if "group.streams.session.timeout.ms" in config:
        return "Apache Kafka 4.1 or newer"
    return "Apache Kafka 4.0, or another broker" if config else "unknown"


def judge_broker(config: Mapping[str, str], settings: WorkerSettings) -> Iterator[Finding]:
    """Judge the settings that a broker reports; one that it does not know is left out."""
    if _CLEANUP_INTERVAL in config:
        yield _judge_cleanup(int(config[_CLEANUP_INTERVAL]), settings)
    if _RETENTION in config:
        yield _judge_retention(int(config[_RETENTION]))
    longest = config.get("transaction.max.timeout.ms")
    if longest is not None:
        ours = f"TOUCHSTREAM_TRANSACTION_TIMEOUT_MS={settings.transaction_timeout_ms}"
        seen = f"transaction.max.timeout.ms={longest}, {ours}"
        if settings.transaction_timeout_ms > int(longest):
            yield fail(
                "broker settings",
                f"{seen}: transactions cannot begin",
                "lower TOUCHSTREAM_TRANSACTION_TIMEOUT_MS, or raise the brokers' limit",
            )
        else:
            yield ok("broker settings", seen)
    least, most = (config.get(f"group.{which}.session.timeout.ms") for which in ("min", "max"))
    if least is not None and most is not None:
        seen = f"sessions of {least} to {most} ms, TOUCHSTREAM_SESSION_TIMEOUT_MS={settings.session_timeout_ms}"
        if int(least) <= settings.session_timeout_ms <= int(most):
            yield ok("broker settings", seen)
        else:
            yield fail(
                "broker settings",
                f"{seen}: workers cannot join the group",
                "set TOUCHSTREAM_SESSION_TIMEOUT_MS between these limits",
            )


def _judge_cleanup(interval_ms: int, settings: WorkerSettings) -> Finding:
    seen = f"{_CLEANUP_INTERVAL}={interval_ms}"
    if interval_ms <= CLEANUP_INTERVAL_MS_MAX:
        return ok("broker settings", seen)
    wait_s = (settings.transaction_timeout_ms + interval_ms) / 1_000
    return warn(
        "broker settings",
        f"{seen}: after a worker dies, readers of its topics wait up to {wait_s:.0f} s",
        f"set it to {CLEANUP_INTERVAL_MS_MAX} in server.properties of each broker",
    )


def _judge_retention(minutes: int) -> Finding:
    seen = f"{_RETENTION}={minutes}"
    if minutes >= OFFSETS_RETENTION_MINUTES_MIN:
        return ok("broker settings", seen)
    return warn(
        "broker settings",
        f"{seen}: if no worker runs for {minutes / _DAY_MINUTES:.0f} days, offsets are lost and workers cannot start",
        f"set it to longer than workers may ever be stopped, at least {OFFSETS_RETENTION_MINUTES_MIN}",
    )
