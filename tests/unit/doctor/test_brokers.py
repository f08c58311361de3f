"""Settings of brokers, judged without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.doctor.brokers import broker_version, judge_broker, judge_brokers
from streams.worker_settings import parse_worker

if TYPE_CHECKING:
    from streams.doctor.finding import Status

BROKER = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "offsets.retention.minutes": "43200",
    "transaction.max.timeout.ms": "900000",
    "group.min.session.timeout.ms": "6000",
    "group.max.session.timeout.ms": "1800000",
}


def judged(**changed: str) -> dict[str, Status]:
    config = {**BROKER, **{name.replace("_", "."): value for name, value in changed.items()}}
    return {finding.seen: finding.status for finding in judge_broker(config, parse_worker({}))}


def test_a_broker_as_the_guide_has_it_is_in_order() -> None:
    assert set(judged().values()) == {"ok"}
    assert len(judged()) == 4


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"offsets_retention_minutes": "10080"}, "warn", "if no worker runs for 7 days, offsets are lost"),
        ({"transaction_max_timeout_ms": "5000"}, "fail", "transactions cannot begin"),
        ({"group_min_session_timeout_ms": "30000"}, "fail", "workers cannot join the group"),
        ({"group_max_session_timeout_ms": "8000"}, "fail", "workers cannot join the group"),
        (
            {"transaction_abort_timed_out_transaction_cleanup_interval_ms": "10000"},
            "warn",
            "after a worker dies, readers of its topics wait up to 18 s",
        ),
    ],
)
def test_each_setting_of_a_broker_is_judged(changed: dict[str, str], status: str, said: str) -> None:
    found = judged(**changed)
    [(seen, given)] = [(seen, given) for seen, given in found.items() if given != "ok"]
    assert (given, said in seen) == (status, True)


def test_what_holds_for_some_brokers_is_said_with_their_numbers() -> None:
    week = {**BROKER, "offsets.retention.minutes": "10080"}
    found = list(judge_brokers({1: BROKER, 2: week, 3: week}, parse_worker({})))
    [amiss] = [finding.seen for finding in found if finding.status == "warn"]
    assert amiss.startswith("broker 2, 3: offsets.retention.minutes=10080: ")
    assert len(found) == 5


def test_a_broker_that_tells_nothing_is_not_judged() -> None:
    assert list(judge_broker({}, parse_worker({}))) == []


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ({"inter.broker.protocol.version": "3.9-IV0"}, "Apache Kafka 3.9"),
        ({"group.streams.session.timeout.ms": "45000"}, "Apache Kafka 4.1 or newer"),
        ({"log.cleaner.enable": "true"}, "Apache Kafka 4.0, or another broker"),
        ({}, "unknown"),
    ],
)
def test_a_brokers_version_is_known_by_its_settings(config: dict[str, str], version: str) -> None:
    assert broker_version(config) == version
