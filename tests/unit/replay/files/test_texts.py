"""Lines of files in any encoding and with any line ends."""

from __future__ import annotations

import codecs
import gzip
from typing import TYPE_CHECKING

import pytest

from streams.replay.files import texts
from streams.replay.files.texts import ColumnFileError, check_encoding, is_blank, is_for_excel, read_lines

if TYPE_CHECKING:
    from pathlib import Path

WORDS = "Müller;größe\n2;3\n"


def lines(path: Path, data: bytes, encoding: str | None = None) -> list[str]:
    path.write_bytes(data)
    found = list(read_lines(path, encoding))
    assert b"".join(raw for raw, _, _ in found) == data.removeprefix(codecs.BOM_UTF8).removeprefix(
        codecs.BOM_UTF16_LE
    ).removeprefix(codecs.BOM_UTF16_BE)
    assert [wrong for _, _, wrong in found if wrong] == []
    return [text for _, text, _ in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "mac-roman", "cp1250"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_come_with_their_bytes_in_every_encoding_and_with_every_end(
    tmp_path: Path, encoding: str, end: str
) -> None:
    text = WORDS.replace("\n", end)
    expected = ["Müller;größe" + end, "2;3" + end]
    assert lines(tmp_path / "a.csv", text.encode(encoding), encoding) == expected
    assert lines(tmp_path / "b.csv", text.encode(encoding)[: -len(end.encode(encoding))], encoding)[1] == "2;3"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
@pytest.mark.parametrize("named", [None, "cp1252", "utf-16"])
def test_a_mark_says_the_encoding_whatever_the_mapping_names(
    tmp_path: Path, mark: bytes, encoding: str, named: str | None
) -> None:
    path = tmp_path / "a.csv"
    assert lines(path, mark + WORDS.encode(encoding), named) == WORDS.splitlines(keepends=True)
    check_encoding(path, None)


def test_a_return_inside_a_file_of_line_feeds_is_no_end(tmp_path: Path) -> None:
    assert lines(tmp_path / "a.csv", b'"a\rb"\nc\n') == ['"a\rb"\n', "c\n"]


def test_a_byte_that_is_not_of_the_encoding_is_named_and_its_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\nb\xfcc\nd\n")
    found = list(read_lines(path, "utf-8"))
    assert [text for _, text, _ in found] == ["a\n", "b\ufffdc\n", "d\n"]
    assert [wrong for _, _, wrong in found] == [None, "byte 0xfc at place 2 of the line is not utf-8", None]
    path.write_bytes(codecs.BOM_UTF16_LE + "a\n".encode("utf-16-le") + b"b\0c")
    assert [wrong is None for _, _, wrong in read_lines(path, None)] == [True, False]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
def test_a_file_that_is_not_utf8_is_refused_with_the_first_byte_its_line_and_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, *, packed: bool
) -> None:
    monkeypatch.setattr(texts, "_CHUNK_BYTES", chunk)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    data = "name;n\ngrößer;1\nMü".encode() + b"\nM\xfcller;2\n"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(ColumnFileError, match=r"line 4: byte 0xfc is not UTF-8.*encoding: cp1252"):
        check_encoding(path, None)
    check_encoding(path, "cp1252")
    path.write_bytes(gzip.compress(data[:19]) if packed else data[:19])
    check_encoding(path, None)


def test_a_line_without_an_end_comes_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data in (b"x" * 5_000_000, b"\r" + b"x" * 5_000_000, codecs.BOM_UTF16_LE + b"x\0" * 2_500_000):
        path.write_bytes(data)
        assert max(len(raw) for raw, _, _ in read_lines(path, None)) <= 5 << 20
    path.write_bytes(b"x" * 5_000_000)
    assert len(list(read_lines(path, None))) == 5


@pytest.mark.parametrize(
    ("raw", "blank"), [(b"", True), (b";;;\r\n", True), (b' ,"",\n', True), (b"\0\n\0", True), (b"0;;\n", False)]
)
def test_a_line_of_nothing_but_delimiters_is_blank(raw: bytes, *, blank: bool) -> None:
    assert is_blank(raw) is blank


def test_a_first_line_for_excel_is_known() -> None:
    assert all(map(is_for_excel, ("sep=;\r\n", '"sep=,"\n', "SEP=\t", "sep=")))
    assert not any(map(is_for_excel, ("sep", "sep=;;x", "a,sep=;")))
