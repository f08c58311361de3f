"""Encodings are undone, in any order, and no text grows by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.collect.decoding import ROUNDS, decoded

PIECES = st.one_of(
    st.text(max_size=3),
    st.sampled_from(
        ["%", "25", "40", "%F0%9F%98%80", "%FF", "&", "#", "x", "9999999;", "#128512;", "&#55296;", "&lt", ";"]
    ),
    st.sampled_from(["&#0;", "&#xD800;", "&#1114112;", "\\", "u0040", "amp;", "&#" + "0" * 9, "1" * 7]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("50% off", "50% off"),
        ("a%20b", "a b"),
        ("%2525252540", "@"),
        ("&amp;amp;#64;", "@"),
        ("&amp#64", "@"),
        ("%26%2364%3B", "@"),
        ("&#55296;", "&#55296;"),
        ("&#1114112;", "&#1114112;"),
        ("&#0;&#10;", "&#0;&#10;"),
        ("\\\\\\u0040", "@"),
        ("ann\\x40x.de", "ann@x.de"),
        ("\u3002", "\u3002"),
        ("@\u3002\u00ad", "@."),
        ("%ff", "\ufffd"),
    ],
)
def test_a_text_is_read_as_people_read_it(text: str, expected: str) -> None:
    assert decoded(text) == expected


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_text_grows_and_each_can_be_encoded(text: str) -> None:
    found = decoded(text)
    assert len(found) <= len(text)
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert len(found.encode()) <= len(text.encode())


def test_encodings_within_each_other_are_undone_to_a_limit() -> None:
    text = "@"
    for _ in range(ROUNDS // 2):
        text = "".join([f"%{byte:02x}" for byte in f"&#{ord(text[0])};{text[1:]}".encode()])
    assert decoded(text)[0] == "@"
