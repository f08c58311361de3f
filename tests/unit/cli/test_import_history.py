"""`touchstream import` says what it cannot read in one line, and at the end what became of each line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from streams.replay.files.container import write_container
from tests.support.commands import refused, run
from tests.support.importing import APrefix, Shop
from tests.support.memory_worker import TOPICS
from tests.support.world import DAY_MS, START_MS, an_order

if TYPE_CHECKING:
    from pathlib import Path

INTO = ("--into", "memory")


@pytest.fixture
def past(tmp_path: Path) -> Path:
    path = tmp_path / "past.avro"
    write_container(path, [an_order(START_MS - number * DAY_MS, user=f"c{number % 7}") for number in range(30, 0, -1)])
    return path


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(monkeypatch)
    opened = APrefix(shop.worker)
    monkeypatch.setattr("streams.cli.shared.ready_settings", lambda *_: opened.settings)
    monkeypatch.setattr("streams.cli.shared.registry_errors", lambda *_: ())
    monkeypatch.setattr("streams.operations.prefix.open_prefix", lambda *_: opened)
    return shop


def test_an_import_accounts_for_each_line_and_a_second_one_writes_nothing(shop: Shop, past: Path) -> None:
    done = run("import", str(past), *INTO, "--json")
    assert done.exit_code == 0, done.output
    said = msgspec.json.decode(done.stdout)
    assert (said["touchpoints"], said["customers"], said["written"], said["was_over"]) == (30, 7, 30, False)
    again = run("import", str(past), *INTO)
    assert again.exit_code == 0
    assert "30 touchpoints of 7 customers, 0 dead letters, of which this run wrote 0" in " ".join(again.stdout.split())
    assert "All of it was loaded before, so nothing was written." in again.stdout
    assert any(output.topic == TOPICS.profiles for output in shop.worker.outputs)


def test_an_interrupt_has_a_code_of_its_own_and_says_how_to_go_on(
    shop: Shop, past: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tests.support.importing.NoPace.wait", interrupted)
        done = run("import", str(past), *INTO)
    assert done.exit_code == 130
    assert "Run the same command again" in done.stdout
    assert "which this run wrote 20" in " ".join(run("import", str(past), *INTO).stdout.split())
    assert shop.letters == []


def test_files_that_cannot_be_used_are_named_in_one_line(past: Path, tmp_path: Path) -> None:
    table = tmp_path / "past.csv"
    table.write_text("a,b\n")
    assert refused("import", str(tmp_path / "gone.csv"), *INTO).endswith("gone.csv: no such file")
    assert "a file is given twice" in refused("import", str(past), str(past), *INTO)
    assert "a table needs a mapping" in refused("import", str(table), *INTO)
    assert "mapping 'nowhere' is unknown" in refused("import", str(table), *INTO, "--mapping", "nowhere")


def test_a_table_without_the_columns_of_its_mapping_is_named_in_one_line(shop: Shop, tmp_path: Path) -> None:
    table = tmp_path / "past.csv"
    table.write_text("a,b\n1,2\n")
    done = run("import", str(table), *INTO, "--mapping", "online_retail")
    assert done.exit_code == 2
    assert "past.csv: line 1: column" in done.stderr.splitlines()[-1]
    assert shop.letters == []
