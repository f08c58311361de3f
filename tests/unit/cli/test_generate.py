"""`touchstream generate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.replay.files.container import read_container
from tests.support.commands import refused, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_generated_shop_is_written_with_its_truth(tmp_path: Path) -> None:
    out = tmp_path / "new" / "shop.avro"
    options = ("--days", "2", "--seed", "5", "--orders-per-hour", "4", "--customers", "50")
    result = run("generate", str(out), *options, "--set", "time_zone=UTC")
    assert result.exit_code == 0, result.output
    truth = json.loads(out.with_suffix(".truth.json").read_text("utf-8"))
    assert truth["parameters"]["seed"] == 5
    assert truth["parameters"]["time_zone"] == "UTC"
    assert f"{len(list(read_container(out)))} touchpoints" in result.stdout


def test_the_same_seed_generates_the_same_bytes(tmp_path: Path) -> None:
    options = ("--days", "1", "--seed", "11", "--orders-per-hour", "3", "--customers", "20")
    files = [tmp_path / "one.avro", tmp_path / "other.avro"]
    for file in files:
        assert run("generate", str(file), *options).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shop.csv",), "shop.csv: the name must end in .avro"),
        (("shop.avro", "--days", "0"), "days is 0: Input should be greater than or equal to 1"),
        (("shop.avro", "--set", "colour=red"), "--set 'colour=red': write name=value, with one of these names: seed, "),
        (("shop.avro", "--days", "3", "--outage", "9:10:2"), "an outage begins on day 9"),
        (("shop.avro", "--outage", "1:30:2:0.1"), "outages.0.hour is '30'"),
        (("shop.avro", "--start", "soon"), "start is 'soon'"),
    ],
)
def test_a_shop_that_cannot_be_is_told_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("generate", *arguments)
