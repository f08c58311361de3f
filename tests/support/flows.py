"""Flows for tests."""

from __future__ import annotations

from typing import Any

from streams.flows.language.files import LIBRARY, flow_files, library_documents, read_document

TEN: tuple[dict[str, Any], ...] = tuple(read_document(file) for file in flow_files(LIBRARY))
"""The flows of the product."""
SERIES = (
    {"name": "first", "do": "trigger"},
    {"name": "a_day", "do": "wait", "for": "24h"},
    {"name": "second", "do": "trigger"},
)
UNCAPPED = {"per_channel_hours": 0, "per_week": 100}
BRANCHED = (
    {"name": "big", "do": "branch", "if": {"field": "cart_total_minor", "at_least": 5_000}, "then": "gift"},
    {"name": "plain", "do": "trigger", "next": "end"},
    {"name": "gift", "do": "trigger"},
)
CHECKED = (SERIES[0], SERIES[1], {"name": "done", "do": "check_goal"}, SERIES[2])
QUIET = {"from": "21:00", "to": "08:00"}


def a_reminder(**changes: Any) -> dict[str, Any]:
    """The product's flow of the abandoned cart with its first message only, as version 1."""
    (flow,) = library_documents("abandoned_cart")
    return {**flow, "version": 1, "begins_anew": False, "steps": [{"name": "reminder", "do": "trigger"}], **changes}


def a_flow(**changes: Any) -> dict[str, Any]:
    """The same without a holdout."""
    return a_reminder(**{"holdout_percent": 0, **changes})


def a_flow_named(name: str, event: str = "product_added", condition: Any = None, **changes: Any) -> dict[str, Any]:
    """The same under another id, with another entry and no exits."""
    entry = {"event": event, "condition": condition} if condition else {"event": event}
    document = a_flow(id=name, entry=entry, exits=[], **changes)
    if changes.get("class") == "transactional":
        del document["caps"]
    return document


def a_series(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same with these steps, or two messages a day apart, and caps that nobody reaches."""
    return a_flow(steps=steps or SERIES, caps=UNCAPPED, **changes)


def a_bare_flow(flow_id: str, event: str, **changes: Any) -> dict[str, Any]:
    """What every file has to say and no more: an event is answered at once, by one promotional message."""
    return {
        "id": flow_id,
        "version": 1,
        "owner": "us",
        "goal": {"event": "order_completed", "window": "1d"},
        "stage": "any",
        "priority": 50,
        "class": "promotional",
        "entry": {"event": event},
        **({} if "channels" in changes else {"channel": "email"}),
        "expires_after": "24h",
        "steps": [{"name": "message", "do": "trigger"}],
        **changes,
    }
