"""What `touchstream doctor` makes of what it sees, without brokers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from streams.doctor.brokers import broker_version, judge_broker, judge_brokers
from streams.doctor.clock import Skew, judge
from streams.doctor.machine import check_disk, check_settings, judge_room
from streams.doctor.topics import judge_copies, judge_topic
from streams.settings import DomainSettings, parse_worker
from streams.topics import specs

if TYPE_CHECKING:
    from streams.doctor.finding import Finding, Status

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


def one(findings: list[Finding], check: str) -> Finding:
    [found] = [finding for finding in findings if finding.check == check]
    return found


def test_a_broker_as_the_guide_has_it_is_in_order() -> None:
    assert set(judged().values()) == {"ok"}
    assert len(judged()) == 4


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"offsets_retention_minutes": "10080"}, "warn", "after 7 days without any worker"),
        ({"transaction_max_timeout_ms": "5000"}, "fail", "no transaction begins"),
        ({"group_min_session_timeout_ms": "30000"}, "fail", "the group lets no worker in"),
        ({"group_max_session_timeout_ms": "8000"}, "fail", "the group lets no worker in"),
        (
            {"transaction_abort_timed_out_transaction_cleanup_interval_ms": "10000"},
            "warn",
            "after a worker dies its readers wait up to 18 s",
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


def test_a_topic_with_one_copy_among_several_brokers_is_told() -> None:
    metadata, topic = ClusterMetadata(), TopicMetadata()
    metadata.topics = {"shop.kpis": topic}
    for copies, brokers, count in (([1], 1, 0), ([1], 2, 1), ([1, 2], 2, 0)):
        part = PartitionMetadata()
        part.replicas = copies
        topic.partitions = {0: part}
        metadata.brokers = dict.fromkeys(range(brokers))
        assert len(list(judge_copies(metadata, ["shop.kpis"]))) == count


def test_a_broker_that_tells_nothing_is_not_judged() -> None:
    assert list(judge_broker({}, parse_worker({}))) == []


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ({"inter.broker.protocol.version": "3.9-IV0"}, "Apache Kafka 3.9"),
        ({"group.streams.session.timeout.ms": "45000"}, "Apache Kafka 4.1 or newer"),
        ({"log.cleaner.enable": "true"}, "Apache Kafka 4.0, or another kind"),
        ({}, "untold"),
    ],
)
def test_a_brokers_version_is_told_by_its_settings(config: dict[str, str], version: str) -> None:
    assert broker_version(config) == version


@pytest.mark.parametrize(
    ("ahead_ms", "error_ms", "status"),
    [(0, 5, "ok"), (900, 5, "ok"), (1_100, 5, "fail"), (1_100, 200, "ok"), (-1_100, 5, "warn"), (-900, 5, "ok")],
)
def test_clocks_may_differ_by_the_margin_of_time_as_far_as_is_known(
    ahead_ms: float, error_ms: float, status: str
) -> None:
    assert judge(Skew(1, ahead_ms, error_ms)).status == status


def test_topics_as_they_are_made_are_in_order() -> None:
    for spec in specs("shop", DomainSettings()):
        assert list(judge_topic(spec, {"unclean.leader.election.enable": "false", **spec.config})) == []
        assert [each.status for each in judge_topic(spec, {"unclean.leader.election.enable": "true"})] == ["warn"]


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({}, "ok"),
        ({"WEB_HOST": "localhost"}, "ok"),
        ({"WEB_HOST": "::1"}, "ok"),
        ({"WEB_HOST": "0.0.0.0"}, "warn"),  # noqa: S104 - the case
        ({"WEB_HOST": "0.0.0.0", "WEB_TOKEN": "hush"}, "ok"),  # noqa: S104 - the case
        ({"WEB_HOST": "worker.example.com"}, "warn"),
    ],
)
def test_pages_that_others_can_reach_want_a_token(variables: dict[str, str], status: str) -> None:
    settings = parse_worker({f"TOUCHSTREAM_{name}": value for name, value in variables.items()})
    found = one(list(check_settings(settings)), "web")
    assert found.status == status
    assert "hush" not in str(found)


@pytest.mark.parametrize(
    ("brokers", "kafka", "status"),
    [
        ("127.0.0.1:9092,localhost:9093", {}, "ok"),
        ("kafka:9092", {}, "warn"),
        ("kafka:9092", {"security.protocol": "SASL_PLAINTEXT"}, "warn"),
        ("kafka:9092", {"security.protocol": "sasl_ssl"}, "ok"),
        ("kafka:9092", {"security.protocol": "SSL", "enable.ssl.certificate.verification": "false"}, "warn"),
    ],
)
def test_what_crosses_a_network_wants_tls(brokers: str, kafka: dict[str, str], status: str) -> None:
    settings = parse_worker({}, brokers=brokers, kafka=kafka)
    assert one(list(check_settings(settings)), "transport").status == status


def test_a_folder_that_can_hold_state_is_left_as_it_was(tmp_path: Path) -> None:
    settings = parse_worker({}, state_dir=tmp_path / "not" / "yet")
    assert one(list(check_disk(settings)), "state").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_can_hold_no_state(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    settings = parse_worker({}, state_dir=file)
    [found] = check_disk(settings)
    assert (found.check, found.status) == ("state", "fail")
    assert "TOUCHSTREAM_STATE_DIR" in found.advice


@pytest.mark.parametrize(("free_mb", "status"), [(100, "fail"), (2_000, "warn"), (4_000, "ok")])
def test_the_disk_must_hold_the_state_once_more(free_mb: int, status: str) -> None:
    found = judge_room(Path("state"), free_bytes=free_mb << 20, state_bytes=2_000 << 20)
    assert (found.check, found.status) == ("disk", status)


def test_the_present_state_is_measured(tmp_path: Path) -> None:
    settings = parse_worker({}, state_dir=tmp_path)
    state = tmp_path / settings.prefix / settings.instance
    state.mkdir(parents=True)
    with (state / "records").open("wb") as sparse:
        sparse.truncate(200 << 20)
    assert one(list(check_disk(settings)), "disk").seen.endswith("the state takes 200 MB")
