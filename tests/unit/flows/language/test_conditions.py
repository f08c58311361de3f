"""Conditions: what each says of a profile and an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from pydantic import TypeAdapter

from schemas.touchpoint import Message, Order, Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language import fields
from streams.flows.language.compiling import compile_condition
from streams.flows.language.conditions import Condition, leaves
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from streams.profiles.profile import EMPTY, Cart, CartItem, OrderMonth, PlacedOrder, Profile, Score, Sent, Touch
from tests.support.flows import a_reminder

if TYPE_CHECKING:
    from streams.flows.language.conditions import Leaf

NOW_MS = 1_767_225_600_000
_CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)


def an_order_ago(days: int, minor: int = 1_000, refunded: int = 0) -> PlacedOrder:
    return PlacedOrder(NOW_MS - days * DAY_MS, minor, refunded, days)


PROFILE = msgspec.structs.replace(
    EMPTY,
    first_ms=NOW_MS - 400 * DAY_MS,
    lifecycle="active",
    score=Score("Loyal", 4, 4, 4, "cuts-1", NOW_MS, 3, 3_000, 0),
    orders=(an_order_ago(300), an_order_ago(40, 2_000, refunded=2_000), an_order_ago(10, 5_000, refunded=500)),
    months=(OrderMonth(NOW_MS - 390 * DAY_MS, 2, 700),),
    cart=Cart(NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS, (CartItem("mug", 900, 2), CartItem("cup", 100, 1))),
    answers=((NOW_MS // DAY_MS - 20, 3), (NOW_MS // DAY_MS - 2, 1), (NOW_MS // DAY_MS, 1)),
    messages=(Sent(NOW_MS - 3 * DAY_MS, "sms", "other", is_promotional=False),),
    touches=(Touch(NOW_MS - 6 * DAY_MS, 1, "email", None, 0, is_view=False),),
)
EVENT = Touchpoint(
    event_id="e",
    type="order_completed",
    time_ms=NOW_MS,
    source="till",
    channel="email",
    message=Message(flow_id="welcome"),
    order=Order("o", "EUR", 4_200, 300),
    products=(Product("mug", 900, 1, "kitchen"), Product("rug", 3_600, 1)),
    country="NO",
    properties={"plan": "gold"},
)


def holds(document: dict[str, Any], profile: Profile = PROFILE, event: Touchpoint | None = EVENT) -> bool:
    return compile_condition(_CONDITION.validate_python(document))(profile, event, NOW_MS)


@pytest.mark.parametrize(
    ("field", "figure"),
    [
        ({"field": "cart_items"}, 2),
        ({"field": "cart_total_minor"}, 1_900),
        ({"field": "orders"}, 5),
        ({"field": "spend_minor"}, 1_000 + 4_500 + 700),
        ({"field": "event.order.total_minor"}, 4_200),
        ({"field": "event.order.discount_minor"}, 300),
        ({"field": "orders", "within": "41d"}, 1),
        ({"field": "spend_minor", "within": "301d"}, 5_500),
        ({"field": "messages", "within": "4d"}, 1),
        ({"field": "messages", "within": "3d"}, 0),
        ({"field": "answers", "within": "90d"}, 5),
        ({"field": "answers", "within": "3d"}, 2),
        ({"field": "touches", "within": "7d"}, 1),
        ({"field": "touches", "within": "6d"}, 0),
    ],
)
def test_a_figure_is_what_the_profile_or_the_event_says(field: dict[str, str], figure: int) -> None:
    assert holds(field | {"at_least": figure, "at_most": figure})
    assert not holds(field | {"at_least": figure + 1})
    assert not holds(field | {"at_most": figure - 1})


@pytest.mark.parametrize(
    ("field", "age"),
    [
        ("cart_age", "1h"),
        ("first_order_age", "300d"),
        ("first_seen_age", "400d"),
        ("last_message_age", "3d"),
        ("last_order_age", "10d"),
    ],
)
def test_an_age_counts_to_now_and_what_never_was_has_none(field: str, age: str) -> None:
    assert holds({"field": field, "at_least": age, "at_most": age})
    assert not holds({"field": field, "at_most": "59m"})
    assert not holds({"field": field, "at_least": "0s"}, EMPTY)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("segment", "Loyal"),
        ("lifecycle", "active"),
        ("event.channel", "email"),
        ("event.country", "NO"),
        ("event.message.flow_id", "welcome"),
        ("event.products.category", "kitchen"),
        ("event.products.sku", "rug"),
        ("event.source", "till"),
        ("event.properties.plan", "gold"),
    ],
)
def test_a_text_is_one_of_those_named(field: str, text: str) -> None:
    assert holds({"field": field, "is": ["prospect" if field == "lifecycle" else "Lost", text]})
    assert not holds({"field": field, "is": ["prospect" if field == "lifecycle" else "Lost"]})


def test_what_an_event_lacks_is_neither_so_nor_above_nor_below() -> None:
    bare = Touchpoint(event_id="e", type="signed_up", time_ms=NOW_MS)
    for event in (bare, None):
        assert not holds({"field": "event.order.total_minor", "at_most": 10**9}, event=event)
        assert not holds({"field": "event.products.sku", "is": ["mug"]}, event=event)
        assert not holds({"field": "event.properties.plan", "is": ["gold"]}, event=event)


def test_conditions_join() -> None:
    yes, no = {"field": "orders", "at_least": 1}, {"field": "orders", "at_most": 0}
    assert holds({"all": [yes, yes]})
    assert not holds({"all": [yes, no]})
    assert holds({"any": [no, yes]})
    assert not holds({"any": [no, no]})
    assert holds({"not": no})
    assert holds({"all": [yes, {"not": {"any": [no, {"all": [yes, no]}]}}]})


def test_every_field_that_may_be_named_is_read() -> None:
    named = (
        (fields.NumberField, fields.NUMBERS),
        (fields.CountField, fields.COUNTS),
        (fields.AgeField, fields.AGES),
        (fields.TextField, fields.TEXTS),
        (fields.DateField, fields.DATES),
        (fields.EventNumberField, fields.EVENT_NUMBERS),
        (fields.EventTextField, fields.EVENT_TEXTS),
    )
    for names, read in named:
        assert set(get_args(names)) == set(read)


def test_a_tree_is_asked_from_left_to_right() -> None:
    tree = {"all": [{"field": "orders", "at_least": 1}, {"not": {"field": "segment", "is": ["Lost"]}}]}
    asked: list[Leaf] = list(leaves(_CONDITION.validate_python(tree)))
    assert [leaf.field for leaf in asked] == ["orders", "segment"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            {"field": "shoe_size", "at_least": 1},
            r" is {.*}: a condition needs all, any, not, or one of these fields: answers, .*",
        ),
        ({"at_least": 1}, r" is {.*}: a condition needs all, any, not, or one of these fields: .*"),
        ("orders", r" is 'orders': a condition needs all, any, not, or one of these fields: .*"),
        ({"all": []}, r"\.all is \[\]: Tuple should have at least 1 item .*"),
        (
            {"all": [{"not": {"field": "orders", "above": 3}}]},
            r"\.all\[0\]\.not\.above is 3: there is no such field; the fields here are field, at_least, at_most",
        ),
        (
            {"any": [{"field": "answers", "at_least": 1}]},
            r"\.any\[0\]\.within is missing; the fields here are field, .*",
        ),
        (
            {"field": "messages", "within": "31d", "at_least": 1},
            r" is {.*}: within must be above 0 and at most 30d, because profiles keep no more",
        ),
        ({"field": "orders", "within": "0s", "at_least": 1}, r" is {.*}: within must be above 0"),
        ({"field": "last_order_age", "at_least": 30}, r"\.at_least is 30: write a whole number and a unit .*"),
        ({"field": "segment", "is": ["Winners"]}, r" is {.*}: segment is never 'Winners'; use one of Champions, .*"),
        ({"field": "segment", "is": []}, r"\.is is \[\]: Tuple should have at least 1 item .*"),
        ({"field": "segment", "at_least": 4}, r"\.is is missing; the fields here are field, is; .*"),
        (
            {"field": "event.properties.a b", "is": ["x"]},
            r"\.field is 'event\.properties\.a b': String should match .*",
        ),
    ],
)
def test_a_mistake_in_a_condition_is_named_with_its_place(condition: object, message: str) -> None:
    entry = {"event": "product_added", "condition": condition}
    with pytest.raises(FlowError, match=rf"^flows\[0\]: entry\.condition{message}$"):
        compile_flows([a_reminder(entry=entry)])


def test_an_event_is_asked_only_where_there_is_one() -> None:
    condition = {"any": [{"field": "orders", "at_least": 1}, {"field": "event.country", "is": ["NO"]}]}
    compile_flows([a_reminder(entry={"event": "product_added", "condition": condition})])
    with pytest.raises(FlowError, match=r"needs\.condition is .*: event\.country needs an event; "):
        compile_flows([a_reminder(needs={"condition": condition})])
    with pytest.raises(FlowError, match=r"entry is .*: event\.country needs an event; "):
        compile_flows([a_reminder(entry={"segment": ["Lost"], "condition": condition})])
