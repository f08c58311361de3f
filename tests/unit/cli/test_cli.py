"""The command line, as far as it goes without Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.settings import DomainSettings
from streams.worker_settings import WorkerSettings
from tests.support.commands import refused, run

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("confluent_kafka", "faust", "numpy", "river", "fastavro", "pydantic")


def test_help_comes_without_loading_what_commands_need() -> None:
    said = f"import sys, streams.__main__; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_worker_starts_without_loading_what_it_learns_with_once_a_week() -> None:
    said = "import sys, streams.worker; print([name for name in ('river', 'scipy', 'pandas') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "worker",
        "topics",
        "replay",
        "generate",
        "demo",
        "explain",
        "consent",
        "suppress",
        "verify",
        "settings",
        "dead-letters",
        "repartition",
        "rebuild",
        "doctor",
        "backtest",
        "journal",
    ],
)
def test_every_command_has_help(command: str) -> None:
    assert command in run("--help").stdout
    assert run(command, "--help").exit_code == 0


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout.startswith("touchstream 0.")


def test_every_variable_is_listed_with_what_it_does() -> None:
    rows = json.loads(run("settings", "--json").stdout)
    names = {row["variable"] for row in rows}
    worker = {name for name in WorkerSettings.model_fields if name != "kafka"}
    domain = {name for name in DomainSettings.model_fields if name not in {"flows", "flow_states"}}
    assert {f"TOUCHSTREAM_{name.upper()}" for name in worker} < names
    assert {f"TOUCHSTREAM_DOMAIN_{name.upper()}" for name in domain} < names
    assert "TOUCHSTREAM_KAFKA_<NAME>" in names
    assert all(row["meaning"] for row in rows)


def test_the_list_of_variables_is_also_a_table_for_a_document() -> None:
    lines = run("settings", "--markdown").stdout.splitlines()
    assert "| `TOUCHSTREAM_WEB_PORT` | `6066` | Port for health, metrics and profile pages. |" in lines


@pytest.mark.parametrize("command", [("worker",), ("verify",), ("explain", "1"), ("topics", "create")])
def test_a_wrong_variable_is_one_line(command: tuple[str, ...]) -> None:
    said = refused(*command, TOUCHSTREAM_WEB_PORT="http")
    assert said.startswith("touchstream: TOUCHSTREAM_WEB_PORT is 'http': ")


def test_an_option_is_judged_as_its_variable_is() -> None:
    assert "TOUCHSTREAM_PREFIX is 'a b': " in refused("worker", "--prefix", "a b")


def test_settings_of_the_client_that_do_not_exist_are_one_line() -> None:
    said = refused("worker", TOUCHSTREAM_KAFKA_NO_SUCH="1")
    assert "no.such" in said


def test_topics_create_names_the_wrong_setting() -> None:
    said = refused("topics", "create", TOUCHSTREAM_DOMAIN_CLOCK="sun")
    assert "TOUCHSTREAM_DOMAIN_CLOCK is 'sun': Input should be 'wall' or 'marks'" in said


def test_the_grants_of_each_role_are_commands_of_kafkas_own_tool() -> None:
    lines = run("topics", "acls", "--prefix", "shop", "--brokers", "kafka:9092").stdout.splitlines()
    assert "# worker" in lines
    assert (
        "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal User:worker "
        "--operation Read --operation Write --topic shop.journal"
    ) in lines


def test_a_file_to_replay_that_is_not_there_is_named() -> None:
    assert refused("replay", "none.csv", "--mapping", "rees46").endswith("none.csv: no such file")


def test_a_file_to_replay_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("a,b\n", "utf-8")
    assert "given twice" in refused("replay", str(file), f"{tmp_path}/../{tmp_path.name}/lines.csv")


def test_an_unknown_mapping_is_named_with_the_known_ones(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("a,b\n", "utf-8")
    said = refused("replay", str(file), "--mapping", "nonesuch")
    assert "mapping 'nonesuch' is unknown; use completejourney, online_retail, rees46" in said


def test_a_column_file_without_a_mapping_is_named(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("a,b\n", "utf-8")
    assert "a table needs a mapping" in refused("replay", str(file))


def test_a_customer_that_cannot_be_is_named() -> None:
    assert "customer 'o:1': write u:USER_ID" in refused("explain", "o:1")
