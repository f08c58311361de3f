"""What holds a flow, as the insights read it in a published document."""

from __future__ import annotations

from typing import Any

import pytest

from streams.flows.language.flow import Flow
from streams.flows.language.relying import ANY_SOURCE, holding_on, relied_on
from tests.support.flows import a_reminder

SHOP = {"source": "shop", "types": ["order_refunded", "order_completed"]}


@pytest.mark.parametrize("stated", [{}, {"relies_on": ["product_added", "order_completed"]}, {"relies_on": SHOP}])
def test_a_document_relies_on_the_same_as_its_flow(stated: dict[str, Any]) -> None:
    document = a_reminder(**stated)
    assert relied_on(document) == Flow.model_validate(document).relied_on


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, (ANY_SOURCE, ())),
        ({"relies_on": SHOP, "on_silence": "alert"}, (ANY_SOURCE, ())),
        ({"relies_on": SHOP, "on_silence": "hold"}, ("shop", ("order_completed", "order_refunded"))),
        ({"relies_on": {"types": ["signed_up"]}, "on_silence": "hold"}, (ANY_SOURCE, ("signed_up",))),
        ({"on_silence": "hold"}, (ANY_SOURCE, ("order_completed", "product_added"))),
    ],
)
def test_only_a_flow_that_asks_for_it_is_held_by_what_it_names(stated: dict[str, Any], expected: object) -> None:
    assert holding_on(a_reminder(**stated)) == expected
