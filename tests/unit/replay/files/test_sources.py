"""What a replay reads, by the file's name."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from schemas.units import HOUR_MS
from streams.replay.files.container import write_container
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import MappingError, load_mapping
from streams.replay.files.sources import lines_in, open_files, open_source
from streams.shop.generator import Shop, ShopParameters

if TYPE_CHECKING:
    from pathlib import Path

SHOP = ShopParameters(days=1, orders_per_hour=5, customers=50, outages=())
ROWS = b"a,b\n1,2\n3,4"


def test_a_generated_shop_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.avro"
    write_container(path, Shop(SHOP).touchpoints())
    source = open_source(path, None)
    assert source.name == "shop.avro"
    assert list(source.mapped) == list(Shop(SHOP).mapped())


def test_a_source_may_end_before_its_file_does(tmp_path: Path) -> None:
    path = tmp_path / "shop.avro"
    write_container(path, Shop(SHOP).touchpoints())
    until_ms = SHOP.start_ms + 12 * HOUR_MS
    expected = [each for each in Shop(SHOP).mapped() if each.touchpoint.time_ms < until_ms]
    assert list(open_source(path, None, until_ms).mapped) == expected
    assert expected


def test_containers_given_together_are_read_one_after_another(tmp_path: Path) -> None:
    paths = [tmp_path / "first.avro", tmp_path / "second.avro"]
    whole = list(Shop(SHOP).touchpoints())
    write_container(paths[0], whole[:30])
    write_container(paths[1], whole[30:])
    source = open_files(paths, None)
    assert (source.name, source.others) == ("first.avro", ("second.avro",))
    assert [each.touchpoint for each in source.mapped if isinstance(each, MappedTouchpoint)] == whole


def test_a_column_file_among_containers_needs_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"lines\.csv: a table needs a mapping"):
        open_files([tmp_path / "shop.avro", tmp_path / "lines.csv"], None)


def test_a_column_file_without_a_mapping_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"lines\.csv: a table needs a mapping"):
        open_source(tmp_path / "lines.csv", None)
    assert open_source(tmp_path / "lines.csv", load_mapping("rees46")).name == "lines.csv"


@pytest.mark.parametrize("text", [ROWS, ROWS + b"\n"])
def test_lines_are_counted_without_the_header(tmp_path: Path, text: bytes) -> None:
    plain, packed = tmp_path / "lines.csv", tmp_path / "lines.csv.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    assert [lines_in(plain), lines_in(packed)] == [2, 2]


def test_touchpoints_of_a_container_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "shop.avro"
    written = write_container(path, Shop(SHOP).touchpoints())
    assert lines_in(path) == written
