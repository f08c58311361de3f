"""Messages that would be empty: they would show no article and no order, and make no offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.flows.language.conditions import AgeIs, CountIs, NumberIs, TextIs, required
from streams.flows.language.documents import listed
from streams.flows.language.events import OWN
from streams.flows.language.fields import TRAIT
from streams.flows.language.mistakes import FlowError, parse_flow
from streams.flows.language.steps import TriggerStep
from streams.profiles.segments import NO_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from streams.flows.language.conditions import Condition
    from streams.flows.language.events import EventType
    from streams.flows.language.flow import Flow

_ORDERED = "order_completed"
_WITH_PRODUCTS: frozenset[EventType] = frozenset(
    {
        "checkout_started",
        "order_cancelled",
        "order_completed",
        "order_refunded",
        "page_viewed",
        "product_added",
        "product_removed",
        "product_searched",
        "product_viewed",
    }
)
"""Types of touchpoints that may name products."""


def parse_file(document: Mapping[str, JsonValue], where: str) -> Flow:
    """Return the flow of a file that is to be published; a flow that is published may be of an earlier release.

    Raises:
        FlowError: it is not a flow, or a message of it would be empty.
    """
    flow = parse_flow(document, where)
    empty = list(empty_messages(flow))
    if empty:
        raise FlowError(listed(f"{where}: {each}" for each in empty))
    return flow


def empty_messages(flow: Flow) -> Iterator[str]:
    """Yield a sentence for each message that may be empty: its place in the file and what to add."""
    if _shows_something(flow):
        return
    for number, step in enumerate(flow.steps):
        if isinstance(step, TriggerStep) and step.offer is None:
            shown = f"products: {flow.products} may show nothing"
            yield f"steps[{number}], {step.name}, would be empty, as {shown}: add {' or '.join(_to_add(flow))}"


def _shows_something(flow: Flow) -> bool:
    match flow.products:
        case "cart":
            return flow.needs.cart is not None or any(map(_needs_cart, required(flow.needs.condition)))
        case "entry":
            return _may_have_products(flow)
    return _has_order(flow)


def _to_add(flow: Flow) -> Iterator[str]:
    yield "offer: NAME to the step"
    if _may_have_products(flow) and flow.products != "entry":
        yield "products: entry to the flow"
    if _has_order(flow):
        yield "products: order to the flow"
    if flow.products == "cart":
        yield "needs: {cart: not_empty} to the flow"


def _may_have_products(flow: Flow) -> bool:
    event = flow.entry.event or ""
    return event in _WITH_PRODUCTS or event.startswith(OWN)


def _has_order(flow: Flow) -> bool:
    """Return whether everyone in the flow has an order, as far as the file says."""
    entry = flow.entry
    if entry.event == _ORDERED or (entry.segment and NO_ORDER not in entry.segment):
        return True
    if entry.date is not None and not entry.date.startswith(TRAIT):
        return True
    return any(map(_needs_order, [*required(entry.condition), *required(flow.needs.condition)]))


def _needs_order(condition: Condition) -> bool:
    match condition:
        case NumberIs(field="orders") | CountIs(field="orders"):
            return _is_some(condition.at_least)
        case AgeIs():
            return condition.field in {"first_order_age", "last_order_age"}
        case TextIs(field="segment"):
            return NO_ORDER not in condition.one_of
    return False


def _needs_cart(condition: Condition) -> bool:
    match condition:
        case NumberIs(field="cart_items") | NumberIs(field="cart_total_minor"):
            return _is_some(condition.at_least)
        case AgeIs():
            return condition.field == "cart_age"
    return False


def _is_some(at_least: Any) -> bool:  # noqa: ANN401 - a number or None
    return at_least is not None and at_least > 0
