"""A customer who fills every list of a profile with the longest texts that the door takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.touchpoint import Consent, Marketing, Order, Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.limits import MINOR_MAX, QUANTITY_MAX, TEXT_BYTES_MAX
from tests.support.flows import a_bare_flow
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = "\N{DRAGON}"
CATEGORIES = 60
FLOWS = 60


def wide(name: str, number: int) -> str:
    """A text of TEXT_BYTES_MAX bytes, mostly of four bytes a character."""
    mark = f"{name}{number:07}"
    mark += "." * (-len(mark) % 4)
    return mark + WIDE * ((TEXT_BYTES_MAX - len(mark)) // 4)


def hostile_flows() -> list[dict[str, Any]]:
    """As many flows as fill the runs, the entry timers, the pending messages, prices and views of a profile."""
    entered = [
        a_bare_flow(
            f"waiting_{number:02}" + "x" * 40, "product_added", products="entry", wait={"for": "300d"}, reentry="1h"
        )
        for number in range(FLOWS)
    ]
    sending = [
        a_bare_flow(
            f"sending_{number:02}" + "x" * 40,
            "checkout_started",
            send_time="best",
            caps={"per_channel_hours": 0, "per_week": 100},
            begins_anew=True,
        )
        for number in range(FLOWS)
    ]
    counting = [
        a_bare_flow(f"counting_{number:02}", "ticket_opened", needs={"condition": _views_of(number)})
        for number in range(CATEGORIES)
    ]
    dropped = {"field": "event.products.price_drop_percent", "at_least": 10}
    priced = a_bare_flow("priced", "product_viewed", entry={"event": "product_viewed", "condition": dropped})
    return [*entered, *sending, *counting, priced]


def _views_of(number: int) -> dict[str, Any]:
    return {"field": "views", "category": wide("category", number), "within": "30d", "at_least": 2}


class Hostile:
    """The touchpoints of one key, with numbers of their own."""

    def __init__(self, key: str = "user", begin_ms: int = START_MS) -> None:
        self._who = {"user_id" if key == "user" else "anonymous_id": wide(key, 0)}
        self._key = key
        self.now_ms = begin_ms
        self._count = 0

    def event(self, kind: str, time_ms: int | None = None, **fields: Any) -> Touchpoint:
        """A touchpoint with long ids."""
        self._count += 1
        self.now_ms += 1_000
        fields = {**self._who, "session_id": wide("session", self._count), **fields}
        at_ms = self.now_ms if time_ms is None else time_ms
        return Touchpoint(event_id=wide(f"event{self._key}", self._count), type=kind, time_ms=at_ms, **fields)

    def everything(self, orders: int = 600) -> Iterator[Touchpoint]:
        """Every list of the profile filled beyond its bound."""
        for number in range(70):
            yield self.event("page_viewed", anonymous_id=wide("phone", number), email_hash=f"{number:064x}")
        for number in range(orders):
            # one in each month from long ago on, then many
            self.now_ms += 30 * DAY_MS if number < 100 else HOUR_MS
            yield self.order(number)
        for channel in ("email", "sms", "push", "all"):
            yield self.event("consent_changed", consent=Consent(channel, granted=True))
        for day in range(95):
            yield self.event("email_opened", self.now_ms - day * DAY_MS)
        for number in range(40):
            yield self.event("product_viewed", products=tuple(self._lines(number * 20, 20)))
        for number in range(3):
            yield self.event("product_added", products=tuple(self._lines(number * 100, 200)))
        for number in range(30):
            yield self.event("checkout_started", self.now_ms + number * MINUTE_MS)

    def order(self, number: int, **fields: Any) -> Touchpoint:
        """The largest order."""
        order = Order(wide("order" + self._key, number), "EUR", MINOR_MAX)
        return self.event("order_completed", order=order, products=tuple(self._lines(0, 200)), **fields)

    def click(self, number: int, time_ms: int | None = None) -> Touchpoint:
        """A click by a channel and a campaign of its own."""
        named = {"channel": wide("channel" + self._key, number), "marketing": Marketing(wide("campaign", number))}
        return self.event("ad_clicked", time_ms, **named)

    def _lines(self, begin: int, count: int) -> Iterator[Product]:
        for number in range(begin, begin + count):
            yield Product(wide("sku", number), MINOR_MAX - number, QUANTITY_MAX, wide("category", number % CATEGORIES))
