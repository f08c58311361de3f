"""A dead letter keeps a record as it came, unless that is too large for anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from schemas.limits import LETTER_BYTES_MAX, LETTER_DETAIL_MAX, LETTER_HEADERS_MAX, LETTER_KEY_BYTES_MAX
from schemas.outputs import NOT_WHOLE
from streams.collect.addresses import address_hash
from streams.processors.letters import dead_letter
from tests.support.kept import Kept

if TYPE_CHECKING:
    from confluent_kafka import Message

    from schemas.outputs import DeadLetter


def letter_of(
    key: bytes = b"k", value: bytes = b"v", headers: tuple[tuple[str, bytes | None], ...] = (), detail: str = "why"
) -> DeadLetter:
    return dead_letter("collect", "malformed", detail, cast("Message", Kept(key, value, headers)))


def test_a_record_of_the_largest_size_is_kept_as_it_came() -> None:
    headers = tuple((f"name-{number}", b"held") for number in range(LETTER_HEADERS_MAX))
    held = sum(len(name) + 4 for name, _ in headers)
    value = b"x" * (LETTER_BYTES_MAX - 2 - held)
    letter = letter_of(value=value, headers=headers)
    assert (letter.key, letter.value, letter.headers, letter.detail) == (b"k", value, dict(headers), "why")


def test_a_larger_one_keeps_a_part_and_says_so() -> None:
    letter = letter_of(key=b"k" * 60_000, value=b"v" * LETTER_BYTES_MAX, headers=(("a", b"1"),))
    assert letter.detail == f"why ({NOT_WHOLE}: {120_000 + LETTER_BYTES_MAX + 2} bytes, 1 headers)"
    assert letter.key == b"k" * LETTER_KEY_BYTES_MAX
    assert letter.value == b"v" * (LETTER_BYTES_MAX // 2)
    assert letter.headers == {}


def test_so_does_one_with_more_headers_than_anybody_needs() -> None:
    letter = letter_of(headers=(("", None),) * 300_000)
    assert letter.detail == f"why ({NOT_WHOLE}: 3 bytes, 300000 headers)"
    assert (letter.key, letter.value, letter.headers) == (b"k", b"v", {})


def test_a_long_detail_keeps_its_end() -> None:
    assert letter_of(detail="x" * 20_000 + "cause").detail == "x" * (LETTER_DETAIL_MAX - 5) + "cause"


def test_a_detail_has_no_address_and_no_phone_number_and_the_record_stays_as_it_came() -> None:
    letter = letter_of(
        b"ann@x.de", b"ann@x.de", (("who", b"ann@x.de"),), "KeyError: 'ann@x.de' or ann%40x.de, +49 30 123456"
    )
    found = address_hash("ann@x.de")
    assert letter.detail == f"KeyError: '{found}' or {found}, [phone]"
    assert (letter.key, letter.value, letter.headers) == (b"ann@x.de", b"ann@x.de", {"who": b"ann@x.de"})


def test_an_address_at_the_edge_of_what_is_kept_of_a_detail_is_none() -> None:
    for room in range(LETTER_DETAIL_MAX - 20, LETTER_DETAIL_MAX + 1):
        assert "@" not in letter_of(detail="ann@example.org" + " " * room).detail


def test_half_a_character_in_a_detail_is_shown_by_its_number() -> None:
    assert letter_of(detail="\ud800 why").detail == "\\ud800 why"
