"""Files of a suppression list: what is read, what is refused, and that nothing plain is said."""

from __future__ import annotations

import hashlib
from io import StringIO

import pytest

from streams.operations.suppression_file import (
    LINE_CHARS_MAX,
    Entry,
    Given,
    Refused,
    WrongEntry,
    WrongFile,
    checked_who,
    checked_why,
    hashed,
    read_entries,
    time_of,
    write_entries,
)

PLAIN = "ada@example.com"
HASH = hashlib.sha256(PLAIN.encode()).hexdigest()
GIVEN = Given("Max", "old list")


def read(text: str) -> list[Entry | Refused]:
    return list(read_entries(StringIO(text), GIVEN))


@pytest.mark.parametrize("text", [PLAIN, f" {PLAIN.upper()} ", f"Ada <{PLAIN}>", f"mailto:{PLAIN}", HASH, HASH.upper()])
def test_an_address_and_its_hash_are_one(text: str) -> None:
    assert hashed(text) == HASH


@pytest.mark.parametrize("text", ["", "ada", "ada@", "ada at example.com", HASH[:-1], f"{PLAIN}, {PLAIN}"])
def test_what_is_neither_is_refused_without_saying_it(text: str) -> None:
    with pytest.raises(WrongEntry) as raised:
        hashed(text)
    assert "example" not in str(raised.value)


def test_columns_come_in_any_order_and_blank_lines_are_passed_over() -> None:
    text = f"\N{ZERO WIDTH NO-BREAK SPACE}When,why, Address\n2026-03-02T10:00,asked,{PLAIN}\n\n,,\n,,{HASH}\n"
    assert read(text) == [
        Entry(HASH, is_all=False, who="Max", why="asked", time_ms=1_772_445_600_000),
        Entry(HASH, is_all=False, who="Max", why="old list", time_ms=None),
    ]


def test_each_wrong_line_is_refused_with_its_number() -> None:
    lines = (
        f"{PLAIN},everything,,",
        f"{PLAIN},all,{'w' * 65},",
        f'{PLAIN},all,"Kim",{"y" * 121}',
        f"{PLAIN},all,Kim",
        f"{PLAIN},all,Kim,fine",
    )
    found = read("\n".join(["address,scope,who,why", *lines]))
    assert [each.line for each in found if isinstance(each, Refused)] == [2, 3, 4, 5]
    assert found[-1] == Entry(HASH, is_all=True, who="Kim", why="fine", time_ms=None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail\nx",
        "address,address\nx,y",
        "address,other\nx,y",
        f'address\n"{PLAIN}',
        "address\n" + "x" * LINE_CHARS_MAX,
    ],
)
def test_a_file_that_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(WrongFile) as raised:
        read(text)
    assert PLAIN not in str(raised.value)


def test_names_and_reasons_have_no_address_and_no_control_character() -> None:
    assert checked_who(PLAIN) == HASH
    assert checked_why(" asked  by\nphone ") == "asked by phone"
    for wrong in ("", " ", "\x1b]0;title\x07", "x" * 121):
        with pytest.raises(WrongEntry):
            checked_why(wrong)


@pytest.mark.parametrize("text", ["yesterday", "1970-01-01", "9999-12-31T23:59", "2026-13-01"])
def test_a_time_has_to_be_one_that_a_record_may_have(text: str) -> None:
    with pytest.raises(WrongEntry, match="write a time such as"):
        time_of(text)


def test_what_is_written_is_read_as_it_was() -> None:
    entries = [
        Entry(HASH, is_all=True, who="Kim", why='said "stop", twice', time_ms=1_772_445_600_123),
        Entry(HASH, is_all=False, who="Lee", why="asked", time_ms=None),
    ]
    file = StringIO()
    assert write_entries(entries, file) == 2
    assert read(file.getvalue()) == entries
