"""One rule for all texts of a touchpoint: the places come from the Avro schema, so a new field cannot be missed."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import (
    CAMPAIGN_MAX,
    CONSENT_MAX,
    PROPERTIES_BYTES_MAX,
    PROPERTY_MAX,
    TEXT_BYTES_MAX,
    TEXT_MAX,
    VALUE_BYTES_MAX,
)
from schemas.touchpoint import PREVIOUS_ID, Consent, Marketing, Product, Touchpoint
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.addresses import address_hash, text_hash
from streams.collect.checks import checked
from streams.collect.hiding import FREE_TEXTS, fields_of, hidden, masked, may_be_plain, shown, without_plain
from streams.collect.phones import CUT
from tests.support.planted import IN_MAPS, NAME, TESTED_BY_A_PATTERN, TRAIT, VALUE, held, places, planted
from tests.support.world import START_MS, a_touchpoint, an_order

ANN = "ann@x.de"
HASH = address_hash(ANN)
HEADER = SINGLE_OBJECT.header(Touchpoint)
PLACES = [place for place in places() if place not in TESTED_BY_A_PATTERN]
FREE = [VALUE, TRAIT, *[f"marketing.{name}" for name in sorted(FREE_TEXTS)]]
FORMS = [
    ANN,
    "Ann <ann@x.de>",
    "mailto:ann@x.de",
    "ann%40x.de",
    "ann%2540x.de",
    "ann&#64;x.de",
    "ann\uff20x.de",
    "ann\ufe6bx.de",
    "ann\\u0040x.de",
    "e\n" * 16 + ANN,
]
PHONES = ["+49 151 2345678", "0049 151 2345678", "0151/2345678", "%2B491512345678"]
NUMBERS = ["1000234567", "4006381333931", "0012345678905", "302-1234567-1234567"]


class Inner(msgspec.Struct):
    text: str | None = None


class Outer(msgspec.Struct):
    inner: Inner | None
    many: tuple[Inner, ...]
    named: dict[str, str]
    count: int
    share: float | None = None


class Odd(msgspec.Struct):
    names: list[str]


def test_the_id_that_a_link_names_is_no_free_text() -> None:
    """Cut to the same text, phone numbers that are ids would make one customer of many."""
    event = a_touchpoint("identity_linked", START_MS, "7", properties={PREVIOUS_ID: "+49 171 2345678"})
    assert hidden(event) is event
    event = a_touchpoint("identity_linked", START_MS, "7", properties={PREVIOUS_ID: "Ann@x.de"})
    assert hidden(event).properties == {PREVIOUS_ID: address_hash("ann@x.de")}


@pytest.mark.parametrize(
    "text", [ANN, f"Ann <{ANN}>", *[" ".join(f"a{n}@x.de" for n in range(many)) for many in (7, 9)]]
)
def test_the_id_that_a_link_names_becomes_what_it_becomes_as_a_user_id(text: str) -> None:
    """Else the link would go to a key that the user never has."""
    link = hidden(a_touchpoint("identity_linked", START_MS, text, properties={PREVIOUS_ID: text}))
    assert link.properties[PREVIOUS_ID] == link.user_id


def test_the_places_are_all_there() -> None:
    assert len(PLACES) > 20
    assert {*FREE, NAME, "event_id", "order.coupon", "products.sku", "consent.channel"} <= set(PLACES)


def test_the_rule_covers_what_the_schema_has() -> None:
    found = fields_of(Touchpoint)
    texts = sum(len(fields.texts) for fields in found.values())
    assert texts == len([place for place in places() if place not in IN_MAPS])
    assert [name for fields in found.values() for name in fields.maps] == ["properties", "traits"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_an_address_in_any_text_is_hashed(place: str, form: str) -> None:
    event = planted(an_order(START_MS), place, form)
    assert may_be_plain(encode(event), HEADER)
    found = hidden(event)
    assert held(found, place).endswith(HASH)
    assert "ann" not in encode(found).decode(errors="replace").replace("channel", "").lower()
    assert checked(event, START_MS) == found


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", PLACES)
def test_a_number_of_an_order_or_an_article_stays_in_any_text(place: str, number: str) -> None:
    event = planted(an_order(START_MS), place, number)
    assert hidden(event) is event


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("place", PLACES)
def test_a_phone_number_is_cut_from_free_texts_and_stays_elsewhere(place: str, phone: str) -> None:
    event = planted(an_order(START_MS), place, phone)
    assert held(hidden(event, may_have_address=False), place) == (CUT if place in FREE else phone)
    assert hidden(event) == hidden(event, may_have_address=False)


def test_a_touchpoint_without_either_stays_the_same_object() -> None:
    event = an_order(START_MS, properties={"url": "https://shop.example/?q=a%20b&r=50%"}, marketing=Marketing("spring"))
    assert hidden(event) is event
    assert checked(event, START_MS) is event


@pytest.mark.parametrize("place", PLACES)
def test_what_hashes_make_too_long_becomes_one_hash(place: str) -> None:
    of_parts = {VALUE: PROPERTY_MAX, TRAIT: PROPERTY_MAX, "marketing": CAMPAIGN_MAX, "consent": CONSENT_MAX}
    most = of_parts.get(place, of_parts.get(place.partition(".")[0], TEXT_MAX))
    text = ("a@b.c," * most)[:most]
    found = checked(planted(an_order(START_MS), place, text), START_MS)
    assert held(found, place) == text_hash(text)
    wide = "\N{GRINNING FACE}" * (TEXT_BYTES_MAX // 4 - 6) + " a@b.c"
    short = checked(planted(an_order(START_MS), place, wide), START_MS)
    assert "@" not in held(short, place)
    assert checked(short, START_MS) is short


def test_the_largest_touchpoint_full_of_addresses_fits_the_journal() -> None:
    text = ("a@b.c " * PROPERTY_MAX)[:PROPERTY_MAX]
    many = "a@b.c " * 60
    names = {f"{number} {many[:120]}": "a@b.c" for number in range(80)}
    properties = {**names, **{str(number): text for number in range((PROPERTIES_BYTES_MAX - 20_000) // len(text))}}
    lines = (Product("a@b.c " * 7, 1, 1, "a@b.c " * 7),) * 200
    event = checked(an_order(START_MS, properties=properties, products=lines), START_MS)
    assert len(event.properties) == len(properties)
    assert len(encode(event)) < VALUE_BYTES_MAX
    assert b"@b.c" not in encode(event)


def test_no_two_names_become_one() -> None:
    names = [ANN, "ANN@x.de", "ann%40x.de", "Ann <ann@x.de>", HASH, text_hash("ANN@x.de"), "other"]
    properties = {name: str(number) for number, name in enumerate(names)}
    found = without_plain(properties)
    assert sorted(found.values()) == sorted(properties.values())
    assert found[HASH] == "4"
    assert found["other"] == "6"
    assert not any("@" in name or "%" in name for name in found)
    assert without_plain(dict(found)) == found


@given(
    st.dictionaries(st.sampled_from([ANN, "ANN@x.de", "Ann@x.de", "a%40b.c", HASH, address_hash(HASH), "x"]), st.text())
)
def test_a_random_set_of_names_keeps_its_size(properties: dict[str, str]) -> None:
    assert len(without_plain(properties)) == len(properties)


def test_one_name_has_the_hash_that_email_hash_has() -> None:
    assert without_plain({ANN: "1", "ANN@b.example": "2"}) == {HASH: "1", address_hash("ann@b.example"): "2"}


@given(st.binary(max_size=40), st.sampled_from(["a", "é", '"', "+"]))
def test_no_bytes_around_it_keep_an_address_from_being_looked_for(around: bytes, name: str) -> None:
    assert may_be_plain(HEADER + b"\x02" + around + f"{name}@b.c".encode() + around, HEADER)


def test_an_id_of_32_characters_is_no_at_sign() -> None:
    text = "550e8400e29b41d4a716446655440000"
    event = an_order(START_MS, event_id=text, order_id=text, user=text, anonymous_id=text, session_id=text)
    event = msgspec.structs.replace(event, products=(Product(text, 1, 1, text),))
    assert not may_be_plain(encode(event), HEADER)


def test_a_field_of_an_unknown_kind_is_not_passed_over() -> None:
    with pytest.raises(TypeError, match=r"Odd\.names"):
        fields_of(Odd)


def test_texts_of_a_struct_in_a_struct_are_found() -> None:
    assert fields_of(Outer) == {Outer: ((), ("inner",), ("many",), ("named",)), Inner: (("text",), (), (), ())}


def test_consent_of_a_channel_that_is_an_address_is_hashed_too() -> None:
    event = a_touchpoint("page_viewed", START_MS, consent=Consent(ANN, granted=True))
    assert hidden(event).consent == Consent(HASH, granted=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Product Viewed", "'Product Viewed'"),
        ("viewed by ann@x.de", f"'viewed by {HASH}'"),
        ("call +49 151 2345678", f"'call {CUT}'"),
        (12, "'12'"),
        ("x" * 95 + " ann@x.de", repr(("x" * 95 + " " + HASH)[:100])),
        ("x" * 99 + " ann@x.de", repr("x" * 99 + " ")),
    ],
)
def test_a_value_in_a_detail_shows_no_address(value: Any, expected: str) -> None:
    assert shown(value, 100) == expected


def test_a_text_for_people_has_neither() -> None:
    sentence: Final = "Ann <ann@x.de>, +49 151 2345678, order 1000234567"
    assert masked(sentence) == f"Ann <{HASH}>, {CUT}, order 1000234567"
