"""The flows that a benchmark publishes: one, the ten of the product, a hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from streams.flows.language.events import EventType
from streams.flows.language.files import library_documents
from tests.support.flows import TEN

if TYPE_CHECKING:
    from pydantic import JsonValue

ONE = library_documents()
CATEGORIES = ("electronics.telephone", "apparel.shoes", "furniture.bedroom.bed", "appliances.kitchen.washer")
"""Of the clickstream, each one in a hundred to two hundred views."""
HUNDRED_ARE = "the ten, and 90 that each listen to one type of event, all types in turn, for one category of articles"


def hundred() -> tuple[dict[str, JsonValue], ...]:
    """HUNDRED_ARE."""
    types = get_args(EventType)
    further = 100 - len(TEN)
    return (*TEN, *(_of_a_category(number, types[number % len(types)]) for number in range(further)))


def _of_a_category(number: int, event: str) -> dict[str, JsonValue]:
    return {
        "id": f"category_{number:02}",
        "version": 1,
        "owner": "bench",
        "goal": {"event": "order_completed", "window": "7d"},
        "stage": "any",
        "priority": 10,
        "class": "promotional",
        "entry": {
            "event": event,
            "condition": {"field": "event.products.category", "is": [CATEGORIES[number % len(CATEGORIES)]]},
        },
        "wait": {"for": "1d"},
        "channel": "email",
        "expires_after": "1d",
        "exits": [name for name in ("order_refunded", "email_unsubscribed") if name != event],
        "steps": [{"name": "message", "do": "trigger"}],
    }
