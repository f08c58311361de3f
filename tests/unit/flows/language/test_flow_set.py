"""Flows that are published together."""

from __future__ import annotations

import pytest

from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from tests.support.flows import a_reminder


def test_two_flows_of_the_same_id_are_refused() -> None:
    with pytest.raises(
        FlowError, match=r"^flows\[1\]: id is 'abandoned_cart', which another flow has; give each flow its own id$"
    ):
        compile_flows([a_reminder(), a_reminder()])


def test_an_event_looks_up_only_the_flows_that_listen_to_it() -> None:
    flows = [a_reminder(id=f"flow_{number}", entry={"event": "signed_up"}) for number in range(100)]
    listening = compile_flows([*flows, a_reminder()]).listening
    assert [plan.flow.id for plan in listening["product_added"].entries] == ["abandoned_cart"]
    assert "page_viewed" not in listening
