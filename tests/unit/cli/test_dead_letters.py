"""A record that anyone may have sent is listed in time, in a bounded line, and moves nothing on the screen."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import DeadLetter
from schemas.touchpoint import Marketing, Product
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.addresses import address_hash
from streams.operations.dead_letters import Letter
from tests.support.commands import run
from tests.support.linear import FACTOR_MAX, growth
from tests.support.world import START_MS, a_touchpoint

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
        monkeypatch.setattr("streams.cli.dead_letters.opened_prefix", opened)
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


ANN = "ann@x.de"
HASH = address_hash(ANN)
PHONE = "+49 151 2345678"
VALUES = {
    "a touchpoint": encode(
        a_touchpoint(
            "page_viewed",
            START_MS,
            user="Ann <ann@x.de>",
            marketing=Marketing(utm_term=PHONE, utm_campaign="ann%40x.de"),
            products=(Product("4006381333931", 1, 1, ANN),),
            properties={"ann\uff20x.de": f"call {PHONE}"},
        )
    ),
    "a call": json.dumps(
        {"type": "track", "userId": ANN, "properties": {"tel": PHONE, "sku": "4006381333931"}}
    ).encode(),
    "a line": b"12,ann@x.de,+49 151 2345678,4006381333931",
    "no text": b"\x00\xff 4006381333931 ann@x.de +49 151 2345678",
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Show one dead letter, without a broker."""

    @contextmanager
    def opened(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(wire=SINGLE_OBJECT)

    def command(value: bytes | None, *options: str, stage: str = "collect") -> str:
        headers = {"who": ANN.encode(), "received_at_ms": b"\x00\x01"}
        held = DeadLetter("malformed", f"of {ANN}", stage, "shop.touchpoints", 0, 7, ANN.encode(), value, headers)
        letter = Letter(3, 1_767_225_600_000, None, held)
        monkeypatch.setattr("streams.cli.dead_letters.opened_prefix", opened)
        monkeypatch.setattr("streams.operations.dead_letters.read_letters", lambda *_: iter([letter]))
        done = run("dead-letters", "show", "3", *options)
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


@pytest.mark.parametrize("stage", ["collect", "fold", "replay"])
@pytest.mark.parametrize("what", VALUES)
def test_a_letter_is_shown_without_addresses_and_phone_numbers(
    shown: Callable[..., str], what: str, stage: str
) -> None:
    for said in (shown(VALUES[what], stage=stage), shown(VALUES[what], "--json", stage=stage)):
        assert not any(part in said for part in ("ann@", "ann%40", "ann\uff20", "2345678", ANN.encode().hex()))
        assert HASH in said
        assert "--plain or --bytes shows them" in said
    if what != "no text":
        assert "4006381333931" in said
        assert "[phone]" in said
    assert json.loads(said)["headers"] == {"who": "8 bytes; --plain or --bytes shows them", "received_at_ms": "0001"}


@pytest.mark.parametrize("option", ["--plain", "--bytes"])
def test_on_demand_it_is_shown_as_it_came(shown: Callable[..., str], option: str) -> None:
    touchpoint = json.loads(shown(VALUES["a touchpoint"], option, "--json"))
    assert touchpoint["key"] == ANN
    assert touchpoint["detail"] == f"of {ANN}"
    assert touchpoint["record"]["Touchpoint"]["user_id"] == "Ann <ann@x.de>"
    assert touchpoint["headers"]["who"] == ANN.encode().hex()
    assert "note" not in touchpoint
    assert json.loads(shown(VALUES["a line"], option, "--json"))["bytes"] == VALUES["a line"].decode()
    assert json.loads(shown(VALUES["no text"], option, "--json"))["bytes"] == VALUES["no text"].hex()


def test_bytes_that_tell_nobody_are_shown_by_their_digits(shown: Callable[..., str]) -> None:
    assert json.loads(shown(b"\x00\xff\x01", "--json"))["bytes"] == "00ff01"
    assert json.loads(shown(None, "--json"))["bytes"] is None
