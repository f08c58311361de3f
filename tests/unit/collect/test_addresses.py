"""Addresses are found anywhere in a text, in one pass and in whichever encoding."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.collect.addresses import address_hash, alone, is_address, text_hash, without_addresses

ANN = "ann@x.de"
HASH = address_hash(ANN)
PATTERN = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
"""What an address alone is; quadratic on texts that are made for it."""
TEXTS = st.text(st.sampled_from(["a", "b", ".", "@", " ", "\n", "\u00a0", "\u2003", "ß", "-"]), max_size=30)
NAMES = r"[^\s\x00-\x1f\x7f<>()\[\]{}\",;:=&?/\\|#@]"
ADDRESS = re.compile(rf"{NAMES}@[\w.-]*[\w]\.[\w-]*[^\W_]")
"""An address within a text."""
PIECES = st.sampled_from(
    [
        *["a", "b.c", ".", "@", "@", "x.de", " ", "%40", "%2540", "%EF%BC%A0", "&#64;", "&#x40;", "&amp;#64;"],
        *["&commat;", "\\u0040", "\\\\u0040", "\uff20", "\ufe6b", "%", "25", "40", "&", "#64;", "amp;", "\\", "u0040"],
        *["<", ">", '"', "=", "+", "mailto:", "\n", "ß", "%2B", "%2E", "\uff0e", "\u200b", "/", "?e=", "'", "-", "_"],
        *["[", "]", HASH, "\x00", "é"],
    ]
)


def read(text: str) -> str:
    """A text without its encodings, by another hand than the door's."""
    before = None
    while text != before:
        before = text
        text = html.unescape(unquote(text))
        text = re.sub(r"\\+u00([2-7][0-9a-fA-F])", lambda found: chr(int(found.group(1), 16)), text)
    return text.replace("\uff20", "@").replace("\ufe6b", "@").replace("\uff0e", ".").replace("\u200b", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ANN, HASH),
        (" Ann@X.de\n", HASH),
        ("Ann <ann@x.de>", HASH),
        ('"Ann, of X" <Ann@x.de>', HASH),
        ("<ann@x.de>", HASH),
        ("mailto:ann@x.de", HASH),
        ("MAILTO:ann@x.de?subject=hi", f"MAILTO:{HASH}?subject=hi"),
        ("vip ann@x.de", f"vip {HASH}"),
        ("ann@x.de, bob@x.de", f"{HASH}, {address_hash('bob@x.de')}"),
        ("ann@x.de.", f"{HASH}."),
        ("(ann@x.de)", f"({HASH})"),
        ("'ann@x.de' wrote", f"'{HASH}' wrote"),
        ("to Ann <ann@x.de> and others", f"to Ann <{HASH}> and others"),
        ("ann%40x.de", HASH),
        ("ann%2540x.de", HASH),
        ("ann%252540x%2Ede", HASH),
        ("ann&#64;x.de", HASH),
        ("ann&amp;#x40;x.de", HASH),
        ("ann&commat;x.de", HASH),
        ("ann%26%2364%3Bx.de", HASH),
        ("ann\\u0040x.de", HASH),
        ("ann\uff20x.de", HASH),
        ("ann%EF%BC%A0x.de", HASH),
        ("\uff21\uff4e\uff4e\uff20\uff58\uff0e\uff44\uff45", HASH),
        ("ann\u200b@x.de", HASH),
        ("https://shop.example/?e=ann%40x.de&a=b%20c", f"https://shop.example/?e={HASH}&a=b c"),
        ('{"email": "ann@x.de"}', f'{{"email": "{HASH}"}}'),
        ("a%2Bb@x.de", address_hash("a+b@x.de")),
        ("a=b@x.de", address_hash("a=b@x.de")),
        ("o'brien@x.de bought", f"{address_hash(chr(111) + chr(39) + 'brien@x.de')} bought"),
        ('"ann smith"@x.de bought', f"{address_hash(chr(34) + 'ann smith' + chr(34) + '@x.de')} bought"),
        ("ann@[10.0.0.1] bought", f"{address_hash('ann@[10.0.0.1]')} bought"),
        ("müller@bücher.example", address_hash("müller@bücher.example")),
        ("ann@उदाहरण.भारत", address_hash("ann@उदाहरण.भारत")),
        ("@ann@x.de", f"@{HASH}"),
    ],
)
def test_an_address_becomes_the_hash_that_email_hash_has(text: str, expected: str) -> None:
    assert without_addresses(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@shop",
        "a@b",
        "5 @ 3.50",
        "a @ x.de",
        "100%",
        "q=a%26b%20c",
        "AT&amp;T",
        "C:\\users",
        "%",
        "%%40",
        "&#64;",
        "é@",
    ],
)
def test_a_text_without_an_address_stays_as_it_is(text: str) -> None:
    assert without_addresses(text) is text


@given(st.lists(PIECES, max_size=14).map("".join))
@example("a@b.c@d.e")
@example("a@b@c.de.-x@y.z")
@example("%25%34%30a%25%34%30x.de")
def test_no_address_is_left_in_any_encoding(text: str) -> None:
    left = ADDRESS.search(read(without_addresses(text)))
    assert left is None, left


@given(st.lists(PIECES, max_size=14).map("".join))
def test_what_was_hidden_once_is_not_hidden_again(text: str) -> None:
    once = without_addresses(text)
    assert without_addresses(once) == once


@given(st.lists(st.sampled_from(["buy", " ", "%20", "mug", "&amp;", "50%", "@", "ß", "."]), max_size=12).map("".join))
def test_a_random_text_changes_only_if_an_address_is_in_it(text: str) -> None:
    if without_addresses(text) != text:
        assert PATTERN.search(read(text))


@pytest.mark.parametrize("times", range(8))
def test_it_does_not_matter_how_often_an_address_is_encoded(times: int) -> None:
    text = ANN
    for _ in range(times):
        text = quote(text)
    assert without_addresses(f"e={text}!") == f"e={HASH}!"


@given(TEXTS)
def test_a_text_is_an_address_if_the_whole_pattern_is_in_it(text: str) -> None:
    assert is_address(text) == bool(PATTERN.fullmatch(text.strip()))


@pytest.mark.parametrize(
    "text", [ANN, " ann@x.de ", "Ann <ann@x.de>", "mailto:ann@x.de", "ann%40x.de", "ann\uff20x.de"]
)
def test_an_address_alone_is_found_in_what_stands_around_it(text: str) -> None:
    assert alone(text) == ANN


def test_a_long_text_before_an_address_is_no_name_of_a_person() -> None:
    sentence = "We thank all who bought mugs " * 5
    assert without_addresses(f"{sentence}<ann@x.de>") == f"{sentence}<{HASH}>"


def test_the_hash_of_a_text_is_of_the_text_as_it_is() -> None:
    assert text_hash(ANN) == HASH
    assert text_hash(ANN.upper()) != HASH
