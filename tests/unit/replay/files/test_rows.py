"""Rows of files as people's programs write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.replay.files.mapped import Reason, RefusedLines
from streams.replay.files.mapping import parse_mapping
from streams.replay.files.rows import ColumnFileError, Row, read_rows
from streams.replay.files.sources import lines_in

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.files.mapping import Mapping

MAPPING = """
about: orders
source: shop
file: {{kind: csv{file}}}
time: {{column: at}}
type: {{constant: order_completed}}
fields: {{user_id: who}}
money: {{currency: {{constant: EUR}}}}
product: {{sku: sku, price: price}}
orders: {{group_by: [at]}}
"""


def a_mapping(file: str = "") -> Mapping:
    return parse_mapping(MAPPING.format(file=file), "orders")


def read(tmp_path: Path, text: str | bytes, file: str = "") -> list[Row | RefusedLines]:
    path = tmp_path / "shop.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    mapping = a_mapping(file)
    found = list(read_rows(path, mapping))
    assert sum(row.lines for row in found) == lines_in(path, mapping)
    return found


def texts(found: list[Row | RefusedLines]) -> list[tuple[str, ...]]:
    assert not [row for row in found if isinstance(row, RefusedLines) or row.wrong]
    return [row.texts for row in found if isinstance(row, Row)]


PLAIN = [("1", "ann", "mug", "2"), ("2", "bob", "cup", "3")]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("at,who,sku,price\n1,ann,mug,2\n2,bob,cup,3\n", ""),
        ("at;who;sku;price\n1;ann;mug;2\n2;bob;cup;3", ", delimiter: ';'"),
        ("at\twho\tsku\tprice\n1\tann\tmug\t2\n2\tbob\tcup\t3", ', delimiter: "\\t"'),
        ("at who  sku price\n 1   ann\tmug 2  \n\n2 bob cup   3\r\n", ", delimiter: whitespace"),
        ("1 ann mug 2\n2 bob cup 3", ", delimiter: whitespace, columns: [at, who, sku, price]"),
        ("1,ann,mug,2\n2,bob,cup,3\n", ", columns: [at, who, sku, price]"),
        ("at,who,sku,price\n1,ann,mug,2\n2,bob,cup,3\n", ", columns: [at, who, sku, price]"),
        ("sep=,\r\nat,who,sku,price\r\n1,ann,mug,2\r\n2,bob,cup,3\r\n", ""),
        ("sep=;\nat;who;sku;price\n1;ann;mug;2\n2;bob;cup;3\n", ", delimiter: ';'"),
        ("\n\nat,who,sku,price\n\n1,ann,mug,2\n,,,\n \n2,bob,cup,3\n,,,\n\n", ""),
        ("at,who,sku,price\n1,ann,mug,2,\n2,bob,cup,3,,,\n", ""),
        ("at,who,sku,price,\n1,ann,mug,2,\n2,bob,cup,3,\n", ""),
        ("at,who,sku,price\n1,ann,mug,2\nat,who,sku,price\n2,bob,cup,3\n", ""),
        ("\ufeffat,who,sku,price\n1,ann,mug,2\n\ufeffat,who,sku,price\n2,bob,cup,3\n", ""),
        ('\ufeff"at","who","sku","price"\n"1","ann","mug","2"\n"2","bob","cup","3"\n', ""),
        (' at , who, sku ,price\n1, ann, mug,2\n2, bob, "cup",3\n', ""),
        ("other,price,sku,who,at\nx,2,mug,ann,1\ny,3,cup,bob,2\n", ""),
    ],
)
def test_a_file_is_read_as_the_plain_one(tmp_path: Path, text: str, file: str) -> None:
    assert texts(read(tmp_path, text, file)) == PLAIN


def test_texts_that_mean_nothing_are_empty(tmp_path: Path) -> None:
    text = "at,who,sku,price\n1,NULL,mug,\\N\n2,#N/A,NA,3\n"
    assert texts(read(tmp_path, text)) == [("1", "", "mug", ""), ("2", "", "NA", "3")]
    assert texts(read(tmp_path, text, ", empty: [NA]"))[1] == ("2", "#N/A", "", "3")


def test_quotation_marks_may_be_only_text(tmp_path: Path) -> None:
    text = 'at\twho\tsku\tprice\n1\tann\t"3" pipe\t2\n2\tbob\t"cup\t3\n'
    assert texts(read(tmp_path, text, ', delimiter: "\\t", quotes: false'))[1] == ("2", "bob", '"cup', "3")


def test_a_quoted_text_with_blank_lines_counts_those_with_words(tmp_path: Path) -> None:
    (row,) = read(tmp_path, 'at,who,sku,price\n1,ann,"a\n\nb",2\n')
    assert isinstance(row, Row)
    assert (row.texts[2], row.lines, row.raw) == ("a\n\nb", 2, b'1,ann,"a\n\nb",2\n')


@pytest.mark.parametrize(
    ("line", "reason", "known"),
    [
        (b"1,ann,mug", Reason.BAD_COLUMNS, ("1", "ann", "mug", "")),
        (b"1,ann,mug,1,299.00", Reason.BAD_COLUMNS, ("1", "ann", "mug", "1")),
        (b"1,ann,m\xfcg,2", Reason.BAD_ENCODING, ("1", "ann", "m\ufffdg", "2")),
    ],
)
def test_a_line_that_is_wrong_has_the_texts_that_could_be_read(
    tmp_path: Path, line: bytes, reason: Reason, known: tuple[str, ...]
) -> None:
    (row,) = read(tmp_path, b"at,who,sku,price\n" + line + b"\n", ", encoding: utf-8")
    assert isinstance(row, Row)
    assert row.wrong is not None
    assert (row.wrong[0], row.texts, row.raw, row.number) == (reason, known, line + b"\n", 2)


def test_a_text_longer_than_any_is_refused_and_the_lines_after_it_are_read(tmp_path: Path) -> None:
    long, *others = read(tmp_path, f"at,who,sku,price\n1,ann,{'x' * 140_000},2\n2,bob,cup,3\n")
    assert isinstance(long, RefusedLines)
    assert (long.reason, long.line_number) == (Reason.BAD_COLUMNS, 2)
    assert texts(others) == PLAIN[1:]


def test_a_quotation_mark_that_nobody_closed_costs_a_bounded_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    lines = "".join(f'{number},ann,"",2\n' for number in range(200_000))
    path.write_text(f'at,who,sku,price\n1,ann,"mug,2\n{lines}')
    refused, *others = [row for row in read_rows(path, a_mapping()) if isinstance(row, RefusedLines) or row.wrong]
    assert not others
    assert len(refused.raw) < 1_200_000


@pytest.mark.parametrize(
    ("header", "file", "said"),
    [
        (
            "at;who;sku;price",
            "",
            r"line 1: column at, who, sku, price is missing \(it has a semicolon between its columns",
        ),
        ("at\twho\tsku\tprice", "", r"it has a tab between its columns: name file.delimiter"),
        (
            "at,who,sku",
            "",
            r"column price is missing; the file has at, who, sku; the mapping reads at, who, sku, price",
        ),
        ("at,who,sku,price,sku", "", r"line 1: column sku is there twice"),
        ("a\0t\0,\0w\0h\0o\0", "", r"it looks like UTF-16: name file: \{encoding"),
        ("", "", r"shop\.csv: it is empty; it needs a header with the columns at, who, sku, price"),
        ("\n\n,,,\n", "", r"it is empty"),
        ('"' + "x" * 140_000, "", r"line 1: field larger than field limit"),
    ],
)
def test_a_file_whose_columns_are_not_found_is_one_error(tmp_path: Path, header: str, file: str, said: str) -> None:
    with pytest.raises(ColumnFileError, match=said):
        read(tmp_path, header + "\n", file)
