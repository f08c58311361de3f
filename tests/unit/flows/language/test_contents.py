"""Messages that would be empty are found before a flow is published."""

from __future__ import annotations

from typing import Any

import pytest

from streams.flows.language.contents import empty_messages, parse_file
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError, parse_flow
from tests.support.flows import TEN, a_bare_flow

ORDERED = {"field": "orders", "at_least": 1}
NEEDS_CART = "needs: {cart: not_empty} to the flow"
FILLED = {"field": "cart_items", "at_least": 1}


def empty(event: str = "signed_up", **changes: Any) -> list[str]:
    entry = {"entry": {"event": event}} if "entry" not in changes else {}
    return list(empty_messages(parse_flow(a_bare_flow("mine", event, **entry, **changes), "mine.yaml")))


@pytest.mark.parametrize(
    "changes",
    [
        {"needs": {"cart": "not_empty"}},
        {"needs": {"condition": FILLED}},
        {"needs": {"condition": {"field": "cart_age", "at_most": "2d"}}},
        {"steps": [{"name": "gift", "do": "trigger", "offer": "gift"}]},
        {"event": "product_viewed", "products": "entry"},
        {"event": "order_completed", "products": "order", "exits": []},
        {"entry": {"segment": ["Lost"]}, "products": "order"},
        {"entry": {"date": "last_order", "after": "60d"}, "products": "order"},
        {"products": "order", "needs": {"condition": ORDERED}},
        {"products": "order", "entry": {"event": "signed_up", "condition": {"all": [ORDERED, FILLED]}}},
        {"products": "order", "needs": {"condition": {"field": "last_order_age", "at_least": "60d"}}},
        {"products": "order", "needs": {"condition": {"field": "orders", "within": "90d", "at_least": 2}}},
        {"products": "order", "needs": {"condition": {"field": "segment", "is": ["Champions"]}}},
    ],
)
def test_a_message_is_never_empty_if_the_file_sees_to_it(changes: dict[str, Any]) -> None:
    assert empty(**changes) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"products": "cart"},
        {"needs": {"condition": {"field": "cart_items", "at_most": 3}}},
        {"needs": {"condition": {"field": "cart_items", "at_least": 0}}},
        {"needs": {"condition": {"any": [FILLED, ORDERED]}}},
        {"needs": {"condition": {"not": FILLED}}},
        {"event": "ticket_closed", "products": "entry"},
        {"products": "order"},
        {"products": "order", "needs": {"condition": {"field": "orders", "at_most": 1}}},
        {"products": "order", "needs": {"condition": {"field": "lifecycle", "is": ["active"]}}},
        {"products": "order", "needs": {"condition": {"field": "segment", "is": ["none", "Lost"]}}},
        {"products": "order", "entry": {"segment": ["none"]}},
    ],
)
def test_a_message_that_may_be_empty_is_named_with_its_place(changes: dict[str, Any]) -> None:
    (said,) = empty(**changes)
    assert said.startswith("steps[0], message, would be empty, as products: ")
    assert "add offer: NAME to the step" in said


def test_each_message_without_an_offer_is_named_and_steps_of_other_kinds_are_not() -> None:
    steps = [
        {"name": "hello", "do": "trigger"},
        {"name": "a_day", "do": "wait", "for": "24h"},
        {"name": "gift", "do": "trigger", "offer": "gift"},
        {"name": "last", "do": "trigger"},
    ]
    assert [said.split(" would")[0] for said in empty(steps=steps)] == ["steps[0], hello,", "steps[3], last,"]


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({}, f"offer: NAME to the step or {NEEDS_CART}"),
        (
            {"event": "order_completed", "exits": []},
            f"offer: NAME to the step or products: entry to the flow or products: order to the flow or {NEEDS_CART}",
        ),
        ({"products": "order"}, "offer: NAME to the step"),
    ],
)
def test_what_is_to_be_added_fits_the_flow(changes: dict[str, Any], added: str) -> None:
    (said,) = empty(**changes)
    assert said.endswith(f": add {added}")


def test_a_date_of_traits_says_nothing_of_an_order_and_an_event_of_ones_own_may_have_products() -> None:
    birthday = {"date": "traits.birthday", "yearly": True}
    (said,) = empty_messages(parse_flow(a_bare_flow("mine", "", entry=birthday, products="order"), "mine"))
    assert said.endswith("add offer: NAME to the step")
    own = a_bare_flow("mine", "custom:Wish Added", products="entry")
    assert list(empty_messages(parse_flow(own, "mine"))) == []


def test_a_file_is_refused_by_name_but_what_is_published_already_goes_on() -> None:
    document = a_bare_flow("mine", "signed_up")
    with pytest.raises(FlowError, match=r"^mine\.yaml: steps\[0\], message, would be empty, "):
        parse_file(document, "mine.yaml")
    assert compile_flows([document]).flows["mine"].says_content is False


@pytest.mark.parametrize("document", TEN, ids=lambda document: str(document["id"]))
def test_no_message_of_the_product_is_empty(document: dict[str, Any]) -> None:
    assert parse_file(document, "library").id == document["id"]
