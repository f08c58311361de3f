"""Addresses are found where a pattern would find them, in one pass."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from streams.collect.addresses import address_hash, is_address, without_addresses

PATTERN = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
"""What an address is; quadratic on texts that are made for it."""
TEXTS = st.text(st.sampled_from(["a", "b", ".", "@", " ", "\n", "\u00a0", "\u2003", "ß", "-"]), max_size=30)


@given(TEXTS)
def test_addresses_in_a_text_are_those_that_the_pattern_finds(text: str) -> None:
    assert without_addresses(text) == PATTERN.sub(lambda found: address_hash(found.group()), text)


@given(TEXTS)
def test_a_text_is_an_address_if_the_whole_pattern_is_in_it(text: str) -> None:
    assert is_address(text) == bool(PATTERN.fullmatch(text.strip()))
