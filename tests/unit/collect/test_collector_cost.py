"""The door costs no more than in proportion to a record's bytes, whatever they are: in each field and of each alphabet.

A field beyond its limit is refused, so what is measured there is how soon.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schemas.limits import NESTING_MAX, PROPERTY_MAX, TEXT_MAX
from schemas.nesting import is_nested_deeper
from schemas.touchpoint import Consent, Marketing, Message, Order, Page, Product, Spend, Touchpoint
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.addresses import alone, is_address, without_addresses
from streams.collect.collector import collect
from streams.collect.decoding import decoded
from streams.collect.phones import without_phones
from streams.collect.refused import RefusedRecord
from streams.settings import DomainSettings
from tests.support.linear import FACTOR_MAX, growth
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = DomainSettings(clock="marks", touchpoint_partitions=1, journal_partitions=1)
SHORT = 12_500
"""Characters of the shorter text; the longer one is within the limit of a record."""
ALPHABETS = {
    "dots after an @": ("a@", "."),
    "pluses after an @": ("a@", "+"),
    "pluses": ("", "+"),
    "dots": ("", "."),
    "at signs": ("", "@"),
    "an @ in every second place": ("", "a@"),
    "addresses": ("", "a@b.c "),
    "addresses without spaces": ("", "a@b.c"),
    "addresses in quotes": ("", '"a@b.c",'),
    "encoded at signs": ("", "a%40b.c"),
    "percents of percents": ("a%", "25"),
    "percents": ("", "%"),
    "entities": ("", "&amp;"),
    "entities in percents": ("a", "%26%2364%3Bb.c"),
    "zeros of an entity": ("&#", "0"),
    "words in quotes": ("", '"a"@b.c '),
    "a quoted name": ('"', 'a b"@'),
    "addresses in a row": ("a", "@b.c"),
    "fullwidth at signs": ("a", "\uff20b.c"),
    "phone numbers": ("", "+49 151 2345678 "),
    "digits and spaces": ("0151 ", "1 "),
    "digits and pluses": ("", "+1"),
    "digits and hyphens": ("", "12-"),
    "groups of digits": ("0", "12 345 67"),
    "brackets before digits": ("", "+(1"),
    "years": ("", "2026-"),
    "a URL": ("https://shop.example/?", "q=a%40b.c&r=1+2&"),
    "spaces": ("a@b", " "),
    "wide spaces": ("a@b.c", "\u2003"),
    "separators of lines": ("a@b.c", "\u2028"),
    "nothing visible": ("", "\x00"),
    "four bytes each": ("", "\U0001f600"),
    "what grows in lower case": ("", "\u0130"),
    "digits": ("", "9"),
    "backslashes": ("", "\\"),
    "quotes": ("", '"'),
    "brackets": ("", "["),
    "digits of a hash": ("", "0123456789abcdef"),
}
PARTS: dict[str, msgspec.Struct] = {
    "marketing": Marketing(),
    "message": Message(),
    "order": Order("o-1", "EUR", 1),
    "spend": Spend("EUR", 1),
    "consent": Consent("email", granted=True),
    "products": Product("mug", 1, 1),
    "page": Page(),
}


def filled() -> dict[str, Callable[[str], Touchpoint]]:
    """By field: a touchpoint with a text there."""
    event = a_touchpoint("page_viewed", START_MS)
    replace = msgspec.structs.replace
    found: dict[str, Callable[[str], Touchpoint]] = {
        "a property's name": lambda text: replace(event, properties={text: "x"}),
        "a property": lambda text: replace(event, properties={"x": text}),
        "a trait's name": lambda text: replace(event, traits={text: "x"}),
        "a trait": lambda text: replace(event, traits={"x": text}),
        "properties": lambda text: replace(
            event,
            properties={str(at): text[at : at + PROPERTY_MAX] for at in range(0, len(text), PROPERTY_MAX)},
        ),
    }
    for field in msgspec.structs.fields(Touchpoint):
        if "str" in str(field.type) and field.name not in {"properties", "traits"}:
            found[field.name] = lambda text, name=field.name: replace(event, **{name: text})  # type: ignore[misc]
    for name, part in PARTS.items():
        for field in msgspec.structs.fields(type(part)):
            if "str" in str(field.type):

                def put(text: str, name: str = name, part: Any = part, field: str = field.name) -> Touchpoint:
                    whole = replace(part, **{field: text})
                    return replace(event, **{name: (whole,) if name == "products" else whole})

                found[f"{name}.{field.name}"] = put
    return found


def at_the_door(value: bytes) -> str | None:
    try:
        collect(value, START_MS, SINGLE_OBJECT, SETTINGS)
    except RefusedRecord as refused:
        return refused.detail
    return None


def text_of(alphabet: str, length: int) -> str:
    start, letters = ALPHABETS[alphabet]
    return (start + letters * (length // len(letters)))[:length]


def a_call(place: str, text: str) -> bytes:
    """A Segment call with a text in one place."""
    call: dict[str, Any] = {"type": "track", "event": "Order Completed", "messageId": "m", "userId": "u"}
    call |= {"timestamp": "2026-03-02T10:00:00Z", "properties": {"order_id": "o", "total": 1, "currency": "EUR"}}
    call |= {"context": {"campaign": {"name": "c"}, "traits": {}}}
    *path, name = place.split(".")
    holder = call
    for step in path:
        holder = holder[step]
    holder[name] = text
    return json.dumps(call, ensure_ascii=False).encode()


CALLED = (
    "type",
    "event",
    "messageId",
    "userId",
    "timestamp",
    "context.timezone",
    "context.campaign.medium",
    "context.traits.email",
    "properties.order_id",
    "properties.total",
    "properties.currency",
    "properties.channel",
    "properties.sku",
    "properties.quantity",
    "properties.products",
    "properties.unknown",
)


def prepared(alphabet: str, made: Callable[[str], bytes]) -> Callable[[int], Callable[[], object]]:
    def work(size: int) -> Callable[[], object]:
        value = made(text_of(alphabet, size))
        return lambda: at_the_door(value)

    return work


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_long_text_in_any_field_costs_no_more_than_its_bytes(alphabet: str) -> None:
    for name, put in filled().items():
        assert growth(prepared(alphabet, lambda text, put=put: encode(put(text))), SHORT) <= FACTOR_MAX, name  # type: ignore[misc]


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_long_text_anywhere_in_a_call_costs_no_more_than_its_bytes(alphabet: str) -> None:
    for place in CALLED:
        assert growth(prepared(alphabet, partial(a_call, place)), SHORT) <= FACTOR_MAX, place


@pytest.mark.parametrize("searched", [is_address, alone, decoded, without_addresses, without_phones])
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_the_search_for_addresses_takes_time_in_proportion_to_the_text(
    alphabet: str, searched: Callable[[str], object]
) -> None:
    def work(size: int) -> Callable[[], object]:
        return partial(searched, text_of(alphabet, size))

    assert growth(work, 50_000) <= FACTOR_MAX


@pytest.mark.parametrize("alphabet", ["quotes", "brackets", "backslashes", '["', '[]"', '\\"', '["\\', "{}[]"])
def test_the_search_for_levels_takes_time_in_proportion_to_the_text(alphabet: str) -> None:
    letters = ALPHABETS[alphabet][1] if alphabet in ALPHABETS else alphabet

    def work(size: int) -> Callable[[], object]:
        text = b'["' * (NESTING_MAX + 1) + (letters * (size // len(letters))).encode()
        return lambda: is_nested_deeper(text, 10 * size)

    assert growth(work, 50_000) <= FACTOR_MAX


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("length", [TEXT_MAX, PROPERTY_MAX, 100_000])
def test_what_is_said_of_a_refused_text_is_short(alphabet: str, length: int) -> None:
    text = text_of(alphabet, length)
    values = [encode(put(text)) for put in filled().values()] + [a_call(place, text) for place in CALLED]
    for value in values:
        assert len(at_the_door(value) or "") < 1_200
