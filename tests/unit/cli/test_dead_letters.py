"""A record that anyone may have sent is listed in time, in a bounded line, and moves nothing on the screen."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from schemas.outputs import DeadLetter
from streams.collect.addresses import address_hash
from streams.operations.dead_letters import Letter
from tests.support.commands import run
from tests.support.linear import FACTOR_MAX, growth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 60_000


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """List dead letters with these keys, without a broker."""

    def letters(keys: tuple[bytes, ...]) -> Iterator[Letter]:
        for position, key in enumerate(keys):
            held = DeadLetter("malformed", "detail", "collect", "shop.touchpoints", 0, position, key, b"value")
            yield Letter(position, 1_767_225_600_000, None, held)

    @contextmanager
    def opened(*_: object) -> Iterator[None]:
        yield None

    def command(*keys: bytes, options: tuple[str, ...] = ()) -> str:
        monkeypatch.setattr("streams.cli.dead_letters._opened", opened)
        monkeypatch.setattr("streams.operations.dead_letters.read_letters", lambda *_: letters(keys))
        done = run("dead-letters", "list", *options)
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


@pytest.mark.parametrize(
    "key",
    [
        b"a@" + b"." * LONG + b"@",
        b"a@b.c" * LONG,
        b"@" * LONG,
        b" " * LONG,
        b"\xff" * LONG,
        b"k" * LONG,
        "\u4e00".encode() * LONG,
    ],
    ids=["dots", "addresses", "at signs", "spaces", "no UTF-8", "letters", "wide letters"],
)
def test_a_long_key_is_listed_in_a_few_lines_and_in_time_that_its_length_bounds(
    listed: Callable[..., str], key: bytes
) -> None:
    shown = listed(key)
    assert len(shown) < 2_000
    assert growth(lambda size: lambda: listed(key[:size]), LONG // 8) <= FACTOR_MAX


def test_a_key_that_is_cut_off_says_how_long_it_is(listed: Callable[..., str]) -> None:
    assert "(60,000characters)" in "".join(listed(b"k" * LONG).split())


def test_json_has_the_whole_key(listed: Callable[..., str]) -> None:
    assert json.loads(listed(b"k" * LONG, options=("--json",)))["letters"][0]["key"] == "k" * LONG


def test_an_address_in_a_key_is_shown_as_its_hash(listed: Callable[..., str]) -> None:
    (letter,) = json.loads(listed(b"jane@b.example", options=("--json",)))["letters"]
    assert letter["key"] == address_hash("jane@b.example")
    assert "jane" not in listed(b"jane@b.example")


@pytest.mark.parametrize(
    "key", [b"\x1b[2J\x1b[1;1H", b"\r\n0 ok", "\u202egnp".encode(), b"\x9b2J", b"[red]x[/red][/b]"]
)
def test_a_key_moves_nothing_on_the_screen(listed: Callable[..., str], key: bytes) -> None:
    shown = listed(key)
    assert shown.isascii()
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert len(shown.splitlines()) <= 5
