"""One visit to the shop: how the customer came, what they looked at, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from schemas.touchpoint import Consent, Marketing, Message, Order, Product
from schemas.units import DAY_MS
from streams.shop.truth import REMINDER_MS, AbandonedCart

if TYPE_CHECKING:
    from random import Random

    from streams.shop.parameters import ShopParameters
    from streams.shop.people import Customer, People
    from streams.shop.schedule import Schedule
    from streams.shop.truth import Truth

PAID = {"paid_search": "brand-terms", "paid_social": "lookalikes", "affiliate": "partners"}
_CHANNELS = ("direct", "organic_search", "paid_search", "paid_social", "email", "affiliate", "referral")
_CHANNEL_WEIGHTS = (28, 22, 18, 10, 12, 5, 5)
_CONSENT_SHARE = 0.85
_REMEMBERED_SHARE = 0.7
_CUSTOMER_BROWSES_SHARE = 0.5
_WHOLE_REFUND_SHARE = 0.6
_COUPON_SHARE = 0.1
_REST_MS = 30 * 60_000
_COUNTRIES = ("DE", "DE", "DE", "AT", "CH", "NL")


@dataclass(slots=True)
class _Visit:
    """A visit; `known` once touchpoints have both ids."""

    session_id: str
    device: str
    now_ms: int
    customer: Customer | None
    known: bool
    last_add_ms: int = 0

    @property
    def who(self) -> dict[str, Any]:
        shown = self.customer if self.known else None
        return {
            "anonymous_id": self.device,
            "session_id": self.session_id,
            "user_id": shown.user_id if shown else None,
            "email_hash": shown.email_hash if shown else None,
        }


class Visits:
    """A planner of whole visits, which also records the truth about carts."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one shop
        self,
        parameters: ShopParameters,
        random: Random,
        people: People,
        stock: list[Product],
        plan: Schedule,
        truth: Truth,
    ) -> None:
        self._parameters = parameters
        self._random = random
        self._people = people
        self._stock = stock
        self._schedule = plan
        self._truth = truth
        self._sessions = 0
        self._orders = 0
        self._owners: dict[str, str] = {}
        self._recent: dict[str, list[AbandonedCart]] = {}
        self.paid_visits: dict[str, int] = {}

    def buy(self, start_ms: int) -> None:
        """Plan a visit that ends with an order, by a new or a known customer."""
        is_new = self._random.random() < self._parameters.new_customer_share
        customer = self._people.arrive() if is_new else self._people.someone(start_ms) or self._people.arrive()
        visit = self._enter(customer, start_ms)
        bought = self._choose(visit, self._random.choice((1, 1, 2)), self._random.choice((1, 1, 2)))
        self._log_in(visit, customer)
        visit.now_ms += self._pause(60)
        self._schedule.plan("checkout_started", visit.now_ms, products=tuple(bought), **visit.who)
        visit.now_ms += self._pause(90)
        self._order(visit, customer, bought)
        customer.busy_until_ms = visit.now_ms + _REST_MS
        self._people.perhaps_leaves(customer, visit.now_ms)

    def browse(self, start_ms: int) -> None:
        """Plan a visit without an order, by a customer or a stranger; some leave a cart behind."""
        wants = self._random.random() < _CUSTOMER_BROWSES_SHARE
        customer = self._people.someone(start_ms) if wants else None
        visit = self._enter(customer, start_ms)
        adds = self._random.choice((1, 1, 2)) if self._random.random() < self._parameters.cart_share else 0
        left = self._choose(visit, 1, adds)
        if left:
            self._abandon(visit)
        if customer is not None:
            customer.busy_until_ms = visit.now_ms + _REST_MS

    def _enter(self, customer: Customer | None, start_ms: int) -> _Visit:
        self._sessions += 1
        device = self._people.device_of(customer) if customer else self._people.new_device()
        known = customer is not None and device in customer.remembered
        visit = _Visit(f"s{self._sessions:07d}", device, start_ms, customer, known)
        channel = self._random.choices(_CHANNELS, _CHANNEL_WEIGHTS)[0]
        if channel == "email" and (customer is None or customer.message_id is None or not customer.mailed):
            channel = "organic_search"
        self._came(visit, channel)
        return visit

    def _came(self, visit: _Visit, channel: str) -> None:
        country = self._random.choice(_COUNTRIES)
        customer = visit.customer
        if channel in PAID:
            self.paid_visits[channel] = self.paid_visits.get(channel, 0) + 1
            marketing = Marketing(
                campaign_id=PAID[channel],
                click_id=f"k{self._sessions:07d}",
                utm_source=channel.removeprefix("paid_"),
                utm_medium="cpc",
                utm_campaign=PAID[channel],
            )
            self._schedule.plan(
                "ad_clicked", visit.now_ms, channel=channel, marketing=marketing, country=country, **visit.who
            )
        elif channel == "email" and customer is not None:
            # the link in the mail identifies the customer
            campaign = Marketing(campaign_id=(customer.message_id or "").rpartition("/")[0], utm_medium="email")
            who = {**visit.who, "user_id": customer.user_id, "email_hash": customer.email_hash}
            message = Message(message_id=customer.message_id)
            self._schedule.plan(
                "email_clicked", visit.now_ms, channel="email", marketing=campaign, message=message, **who
            )
            self._owns(visit, customer)
        else:
            self._schedule.plan("page_viewed", visit.now_ms, channel=channel, country=country, **visit.who)

    def _choose(self, visit: _Visit, views: int, adds: int) -> list[Product]:
        articles = [
            self._stock[int(self._random.paretovariate(1.1) * 7) % len(self._stock)] for _ in range(max(views, adds))
        ]
        cart: dict[str, Product] = {}
        for number, article in enumerate(articles):
            visit.now_ms += self._pause(40)
            if number < views:
                self._schedule.plan("product_viewed", visit.now_ms, products=(article,), **visit.who)
            if number < adds and article.sku not in cart:
                visit.now_ms += self._pause(25)
                chosen = replace(article, quantity=self._random.choice((1, 1, 1, 1, 2, 3)))
                cart[article.sku] = chosen
                visit.last_add_ms = visit.now_ms
                self._schedule.plan("product_added", visit.now_ms, products=(chosen,), **visit.who)
        return list(cart.values())

    def _log_in(self, visit: _Visit, customer: Customer) -> None:
        """Send both ids from here on; a new customer signs up."""
        visit.known = True
        if not customer.seen:
            customer.seen = True
            visit.now_ms += self._pause(45)
            self._schedule.plan("signed_up", visit.now_ms, **visit.who)
            customer.mailed = self._random.random() < _CONSENT_SHARE
            consent = Consent("email", granted=customer.mailed)
            self._schedule.plan("consent_changed", visit.now_ms + 1, consent=consent, **visit.who)
        self._owns(visit, customer)
        if self._random.random() < _REMEMBERED_SHARE:
            customer.remembered.add(visit.device)

    def _owns(self, visit: _Visit, customer: Customer) -> None:
        self._owners[visit.device] = customer.user_id

    def _order(self, visit: _Visit, customer: Customer, bought: list[Product]) -> None:
        self._orders += 1
        total_minor = sum(product.price_minor * product.quantity for product in bought)
        coupon = "WELCOME10" if self._random.random() < _COUPON_SHARE else None
        discount_minor = total_minor // 10 if coupon else 0
        order = Order(
            f"o{self._orders:07d}", self._parameters.currency, total_minor - discount_minor, discount_minor, coupon
        )
        if self._random.random() >= self._parameters.recorded_share(visit.now_ms):
            self._truth.orders_lost += 1
            self._truth.lost_minor += order.total_minor
            self._abandon(visit, lost_order=True)
            return
        self._schedule.plan("order_completed", visit.now_ms, order=order, products=tuple(bought), **visit.who)
        for person in (customer.user_id, visit.device):
            for cart in self._recent.pop(person, ()):
                cart.ordered_soon = cart.ordered_soon or visit.now_ms - cart.last_add_ms <= REMINDER_MS
        if self._random.random() < self._parameters.refund_share:
            self._refund(visit, customer, order)

    def _refund(self, visit: _Visit, customer: Customer, order: Order) -> None:
        time_ms = visit.now_ms + round(self._random.uniform(1, 9) * DAY_MS)
        if time_ms >= self._parameters.end_ms:
            return
        whole = self._random.random() < _WHOLE_REFUND_SHARE
        back_minor = order.total_minor if whole else max(1, round(order.total_minor * self._random.uniform(0.2, 0.8)))
        back = Order(order.order_id, order.currency, back_minor)
        self._schedule.plan("order_refunded", time_ms, user_id=customer.user_id, order=back)

    def _abandon(self, visit: _Visit, *, lost_order: bool = False) -> None:
        user_id = visit.customer.user_id if visit.known and visit.customer else self._owners.get(visit.device)
        cart = AbandonedCart(visit.session_id, visit.device, user_id, visit.last_add_ms, lost_order=lost_order)
        self._truth.abandoned.append(cart)
        for person in {visit.device, user_id or visit.device}:
            self._recent.setdefault(person, []).append(cart)

    def _pause(self, seconds: float) -> int:
        return 1000 + round(self._random.expovariate(1 / seconds) * 1000)
