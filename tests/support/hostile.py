"""A customer who fills every list of a profile with the longest texts that the door takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.limits import CART_BYTES_MAX, MINOR_MAX, MONTHS_MAX, QUANTITY_MAX, RUNS_MAX, TEXT_BYTES_MAX
from schemas.touchpoint import Consent, Marketing, Order, Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.profiles.contents import PRODUCTS_MAX
from streams.profiles.keys import DEVICE, USER
from streams.profiles.profile import ADDS_MAX, CART_ITEMS_MAX
from tests.support.flows import UNCAPPED, a_bare_flow
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = "\N{DRAGON}"
CATEGORIES = 60
FLOWS = 60
DATES = 110
_WIDTH = CART_BYTES_MAX // CART_ITEMS_MAX - 24
ARTICLES = tuple(
    [Product(f"sku{number:02}".ljust(_WIDTH, "x"), MINOR_MAX, QUANTITY_MAX) for number in range(CART_ITEMS_MAX)]
)
"""As many as fill a cart, also in bytes."""


def wide(name: str, number: int) -> str:
    """A text of TEXT_BYTES_MAX bytes, mostly of four bytes a character."""
    mark = f"{name}{number:07}"
    mark += "." * (-len(mark) % 4)
    return mark + WIDE * ((TEXT_BYTES_MAX - len(mark)) // 4)


def hostile_flows() -> list[dict[str, Any]]:
    """As many flows as fill the runs, the entry timers, the prices and the views of a profile."""
    waiting = [
        _a_flow("waiting", number, "product_added", products="entry", wait={"for": "300d"}, exits=[])
        for number in range(FLOWS)
    ]
    counting = [
        _a_flow("counting", number, "ticket_opened", needs={"condition": _views_of(number)})
        for number in range(CATEGORIES)
    ]
    dated = [
        _a_flow("dated", number, "", entry={"date": "last_order", "after": f"{300 + number}d"})
        for number in range(DATES)
    ]
    dropped = {"field": "event.products.price_drop_percent", "at_least": 10}
    priced = _a_flow("priced", 0, "", entry={"event": "product_viewed", "condition": dropped})
    shown = _a_flow("shown", 0, "order_completed", products="order", wait={"for": "300d"}, exits=[])
    return [*waiting, *counting, *dated, priced, shown]


def sending_flows() -> list[dict[str, Any]]:
    """Flows that each send a message, with the cart in it, at the hour at which the customer opens messages."""
    return [
        _a_flow("sending", number, "checkout_started", send_time="best", caps=UNCAPPED, begins_anew=True, exits=[])
        for number in range(RUNS_MAX)
    ]


def _a_flow(name: str, number: int, event: str, **changes: Any) -> dict[str, Any]:
    return a_bare_flow(f"{name}_{number:03}".ljust(60, "x"), event, **changes)


def _views_of(number: int) -> dict[str, Any]:
    return {"field": "views", "category": wide("category", number), "within": "30d", "at_least": 2}


class Hostile:
    """The touchpoints of one key, with numbers of their own."""

    def __init__(self, key: str = "user", begin_ms: int = START_MS) -> None:
        is_user = key == "user"
        self._who = {"user_id" if is_user else "anonymous_id": wide(key, 0)}
        self.key = (USER if is_user else DEVICE) + wide(key, 0)
        self._name = key
        self.now_ms = begin_ms
        self._count = 0

    def event(self, kind: str, time_ms: int | None = None, **fields: Any) -> Touchpoint:
        """A touchpoint with long ids."""
        self._count += 1
        self.now_ms += 1_000
        fields = {**self._who, "session_id": wide("session", self._count), **fields}
        at_ms = self.now_ms if time_ms is None else time_ms
        return Touchpoint(event_id=wide(f"event{self._name}", self._count), type=kind, time_ms=at_ms, **fields)

    def everything(self) -> Iterator[Touchpoint]:
        """Every list of the profile filled beyond its bound."""
        for number in range(70):
            yield self.event("page_viewed", anonymous_id=wide("phone", number), email_hash=f"{number:064x}")
        for number in range(1_000):
            # one in each month from long ago on, then many
            self.now_ms += 31 * DAY_MS if number < MONTHS_MAX + 20 else HOUR_MS
            yield self.order(number)
        for number in range(520):
            yield self.order(2_000 + number, "order_refunded")
        for channel in ("email", "sms", "push", "all"):
            yield self.event("consent_changed", consent=Consent(channel, granted=True))
        for number in range(200):
            said = Consent("email", granted=number % 2 == 0, purpose="p" * 32)
            yield self.event("consent_changed", consent=said, email_hash=f"{number:064x}", source=wide("crm", number))
        for day in range(95):
            yield self.event("email_opened", self.now_ms - day * DAY_MS)
        for number in range(40):
            yield self.event("product_viewed", products=tuple(self._lines(number * 20, 20)))
        for number in range(3):
            yield self.event("product_added", products=tuple(self._lines(number * 100, 200)))

    def full_cart(self) -> Iterator[Touchpoint]:
        """As many articles as fit, each put in again and again."""
        for _ in range(ADDS_MAX + 2):
            yield self.event("product_added", products=ARTICLES)

    def checkouts(self) -> Iterator[Touchpoint]:
        """A full cart, and what starts `sending_flows`, day by day."""
        yield self.event("consent_changed", consent=Consent("email", granted=True))
        yield self.event("product_added", products=tuple(self._lines(0, 200)))
        for _ in range(10):
            yield self.event("checkout_started")
            self.now_ms += DAY_MS

    def order(self, number: int, kind: str = "order_completed") -> Touchpoint:
        """The largest order, or what becomes of it."""
        order = Order(wide("order" + self._name, number), "EUR", MINOR_MAX)
        return self.event(kind, order=order, products=ARTICLES[:PRODUCTS_MAX])

    def click(self, number: int, time_ms: int | None = None) -> Touchpoint:
        """A click by a channel and a campaign of its own."""
        named = {"channel": wide("channel" + self._name, number), "marketing": Marketing(wide("campaign", number))}
        return self.event("ad_clicked", time_ms, **named)

    def _lines(self, begin: int, count: int) -> Iterator[Product]:
        for number in range(begin, begin + count):
            yield Product(wide("sku", number), MINOR_MAX - number, QUANTITY_MAX, wide("category", number % CATEGORIES))
