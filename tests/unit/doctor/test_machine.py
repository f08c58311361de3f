"""The machine of a worker: its pages, its way to the brokers, its disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.doctor.machine import check_disk, check_settings, judge_room
from streams.worker_settings import parse_worker

if TYPE_CHECKING:
    from streams.doctor.finding import Finding


def one(findings: list[Finding], check: str) -> Finding:
    [found] = [finding for finding in findings if finding.check == check]
    return found


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
