"""What is wrong with files, line by line and as touchpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from streams.operations.file_quality import file_quality
from streams.replay.files.mapping import load_mapping

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LINES = (
    "1,mug,Mug,2,2011-01-01 10:00:00,1.50,17850.0,United Kingdom",
    "1,mug,Mug,2,2011-01-01 10:00:00,1.50,17850.0,United Kingdom",
    "1,box,Box,1,2011-01-01 10:00:00,0,17850.0,United Kingdom",
    "2,mug,Mug,1,2011-01-01 11:00:00,1.50,,United Kingdom",
    "3,mug,Mug,1,2011-01-01 12:00:00,1.50,guest,United Kingdom",
    "C4,mug,Mug,-1,2011-01-01 13:00:00,1.50,17850.0,United Kingdom",
    "5,mug,Mug,0,2011-01-01 14:00:00,-2,17850.0,United Kingdom",
    "6,mug,Mug,x,2011-01-01 15:00:00,1.50,17850.0,United Kingdom",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text("\n".join([HEADER, *LINES]), "utf-8")
    return path


def test_lines_are_counted_by_what_is_wrong_with_them(file: Path) -> None:
    found = file_quality([file], load_mapping("online_retail"))
    assert (found.lines, found.without_customer, found.customer_is_nobody, found.exact_duplicates) == (8, 1, 1, 1)
    assert (found.price_zero, found.price_negative, found.quantity_zero, found.quantity_negative) == (1, 1, 1, 1)
    assert found.no_number == 1
    assert found.touchpoints["order_completed"] == 3
    assert sum(found.refused.values()) == 2


def test_several_files_are_one(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    other.write_text("\n".join([HEADER, LINES[0].replace("2011-01-01", "2011-01-02").replace("1,", "7,", 1)]), "utf-8")
    found = file_quality([file, other], load_mapping("online_retail"))
    assert (found.lines, found.exact_duplicates) == (9, 1)


def test_the_command_says_it_in_words(file: Path) -> None:
    shown = CliRunner().invoke(app, ["quality", str(file), "--mapping", "online_retail"])
    assert shown.exit_code == 0
    assert "1 of 8 lines are exactly the same as an earlier one (12.50%)" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.csv"], "gone.csv: no such file"),
        (["--mapping", "online_retail"], "--mapping is for files: name them too"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str) -> None:
    shown = CliRunner().invoke(app, ["quality", *arguments])
    assert (shown.exit_code, message in shown.stderr) == (2, True)
