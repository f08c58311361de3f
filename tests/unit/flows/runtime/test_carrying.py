"""What messages carry: the first attributes that a run has room for, and what is known of the customer then."""

from __future__ import annotations

import msgspec

from schemas.attribute_limits import ATTRIBUTE_BYTES_MAX, RUN_ATTRIBUTES_BYTES_MAX
from schemas.limits import RUN_PRODUCTS_BYTES_MAX
from schemas.touchpoint import Product, Touchpoint
from streams.flows.runtime.carrying import carried_of
from streams.profiles.bounds import attributes_bytes, bounded_products
from streams.profiles.contents import first_articles
from streams.profiles.profile import Run
from tests.support.flows import a_bare_flow
from tests.support.journeys import START_MS, Journey

SCORE = "event.properties.score"


def quiz(**properties: str) -> Touchpoint:
    return Touchpoint("e", "custom", START_MS, name="Quiz", properties=properties)


def test_the_first_values_that_fit_are_kept() -> None:
    names = ("event.properties.a", "event.properties.long", "event.name", "event.properties.none", "event.properties.b")
    event = quiz(a="1", b="2", long="x" * ATTRIBUTE_BYTES_MAX)
    assert carried_of(event, names) == (
        ("event.properties.a", "1"),
        ("event.name", "Quiz"),
        ("event.properties.b", "2"),
    )


def test_a_run_with_attributes_and_articles_has_no_more_bytes_than_one_with_articles_alone() -> None:
    names = tuple([f"event.properties.{letter}" for letter in "abcdefgh"])
    kept = carried_of(quiz(**dict.fromkeys("abcdefgh", "x" * 20)), names)
    assert 0 < attributes_bytes(kept) <= RUN_ATTRIBUTES_BYTES_MAX
    articles = first_articles(tuple([Product("s" * 20, 1 << 40, 1 << 30)] * 10))
    beside = bounded_products(articles, attributes_bytes(kept))
    assert 0 < len(beside) < len(bounded_products(articles))
    long = 1 << 62
    run = Run(
        "shadow:" + "f" * 59, 1, "c" * 34, "e" * 515, long, long, "s" * 60, long, long, beside, long, attributes=kept
    )
    assert len(msgspec.msgpack.encode(run)) <= 1_300
    assert len(msgspec.msgpack.encode(kept)) <= attributes_bytes(kept) + 3 < RUN_PRODUCTS_BYTES_MAX


def test_a_later_entry_before_the_first_message_brings_its_own() -> None:
    journey = Journey(a_bare_flow("own", "custom:Quiz", wait={"for": "1h"}, attributes=[SCORE]))
    journey.meets(quiz(score="7"))
    journey.meets(msgspec.structs.replace(quiz(score="8"), event_id="later", time_ms=START_MS + 1))
    journey.comes_due()
    (sent,) = journey.triggers
    assert sent.attributes == {SCORE: "8"}


def test_under_earlier_rules_messages_carry_nothing() -> None:
    journey = Journey(a_bare_flow("own", "custom:Quiz", attributes=[SCORE]))
    journey.rules = 3
    journey.meets(quiz(score="7"))
    assert journey.profile.runs[0].attributes == ()
    journey.comes_due()
    assert journey.triggers[0].attributes == {}
