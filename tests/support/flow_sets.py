"""Random sets of flows that a shop might publish: every kind of entry, step and limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.world import DAY_MS

if TYPE_CHECKING:
    from schemas.outputs import Trigger

ZONE = "America/New_York"
CUTS = {
    "recency_ms": [20 * DAY_MS, 40 * DAY_MS, 60 * DAY_MS, 80 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}
FEW = {"field": "orders", "at_most": 2}
ENTRIES: list[dict[str, Any]] = [
    {"event": "product_viewed"},
    {"event": "product_viewed", "condition": {"field": "views", "category": "mugs", "within": "7d", "at_least": 2}},
    {"event": "product_added"},
    {"event": "product_added", "condition": FEW},
    {"event": "order_completed"},
    {"event": "signed_up"},
    {"segment": ["New", "Promising", "Potential Loyalist"]},
    {"segment": ["Hibernating", "Lost", "About to Sleep"], "condition": FEW},
    {"date": "next_order", "before": "1d"},
    {"date": "last_order", "after": "20d"},
    {"date": "first_order", "after": "2d", "condition": FEW},
]
NIGHT, NOON = {"from": "21:00", "to": "08:00"}, {"from": "11:30", "to": "14:00"}
FIRST, SECOND = {"name": "first", "do": "trigger"}, {"name": "second", "do": "trigger"}
SERIES: list[list[dict[str, Any]]] = [
    [FIRST],
    [FIRST, {"name": "wait", "do": "wait", "for": "26h"}, SECOND],
    [FIRST, {"name": "morning", "do": "wait_until", "time": "10:00", "days": [1, 3, 5]}, SECOND],
    [FIRST, {"name": "then", "do": "wait_for_date", "field": "last_order", "after": "9d"}, SECOND],
    [
        {
            "name": "which",
            "do": "split",
            "arms": [{"name": "one", "percent": 40}, {"name": "other", "percent": 60, "next": "second"}],
        },
        {**FIRST, "next": "end"},
        SECOND,
    ],
    [{"name": "few", "do": "branch", "if": FEW, "then": "second"}, {**FIRST, "next": "end"}, SECOND],
    [FIRST, {"name": "wait", "do": "wait", "for": "5h"}, {"name": "goal", "do": "check_goal"}, SECOND],
]
TWO_IN_THREE_DAYS = {"messages": 2, "within": "3d"}
ONE_SMS_IN_TWELVE = {"channel": "sms", "messages": 1, "within": "12d"}
GOAL = {"event": "page_viewed", "window": "1d"}


@st.composite
def _flows(draw: st.DrawFn, number: int) -> dict[str, Any]:
    def one_of(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    entry = one_of(*ENTRIES)
    flow: dict[str, Any] = {
        "id": f"flow_{number}",
        "version": 1,
        "owner": "us",
        "goal": GOAL,
        "stage": "any",
        "priority": one_of(0, 50, 50, 90),
        "class": one_of("promotional", "promotional", "transactional"),
        "entry": entry,
        "reentry": one_of("always", "always", "3d", "never"),
        "begins_anew": draw(st.booleans()),
        "wait": {"for": one_of("0s", "30m", "6h", "3d"), "restarts": draw(st.booleans())},
        "needs": one_of({}, {}, {"cart": "not_empty"}),
        "expires_after": one_of("1h", "30h", "3d"),
        "caps": {
            "per_channel_hours": one_of(0, 5, 20),
            "per_week": one_of(1, 2, 3),
            "rolling": one_of([], [TWO_IN_THREE_DAYS, ONE_SMS_IN_TWELVE]),
        },
        "holdout_percent": one_of(0, 0, 40),
        "suppresses": one_of(None, None, "2d"),
        "steps": one_of(*SERIES),
        **one_of({"channel": "email"}, {"channel": "sms"}, {"channels": ["push", "email"]}),
    }
    exits = one_of(None, [], ["ticket_opened"], ["order_completed", "product_added", "signed_up"])
    if exits is not None:
        flow["exits"] = [event for event in exits if event != entry.get("event")]
    if flow["class"] == "promotional":
        flow |= {
            "quiet_hours": one_of(None, None, NIGHT, NOON),
            "send_time": one_of("at_once", "best"),
            "when_outranked": one_of("wait", "drop"),
        }
    flow["products"] = one_of("cart", "entry", "order") if entry.get("event") else one_of("cart", "order")
    return flow


@st.composite
def flow_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to six flows."""
    return [draw(_flows(number)) for number in range(draw(st.integers(1, 6)))]


def goes_ms(sent: Trigger) -> int:
    """When a message goes out."""
    return max(sent.decided_ms, sent.due_ms)
