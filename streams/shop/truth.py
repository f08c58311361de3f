"""The true figures of a simulated shop, to compare results with."""

from __future__ import annotations

import msgspec

from schemas.touchpoint import Touchpoint  # noqa: TC001 - part of a struct's method signature

REMINDER_MS = 2 * 3_600_000


class AbandonedCart(msgspec.Struct, gc=False):
    """A visit that put something into a cart and did not order.

    `user_id` is known if the visit, or an earlier login on the device, shows it. `ordered_soon`: the same person
    ordered within two hours of the last add. `lost_order`: they did order, but the tracking was broken.
    """

    session_id: str
    device: str
    user_id: str | None
    last_add_ms: int
    ordered_soon: bool = False
    lost_order: bool = False


class OutageTruth(msgspec.Struct, frozen=True, gc=False):
    """Hours in which few of the orders were recorded."""

    start_ms: int
    end_ms: int
    share: float


class HiddenCustomer(msgspec.Struct, gc=False):
    """The hidden process of a customer: how often they buy, compared with others, and when they leave for ever."""

    rate: float
    gone_ms: int | None = None


class Truth(msgspec.Struct):
    """The truth. Counts are those of recorded touchpoints, with repeats apart; money is in minor units."""

    parameters: dict[str, object]
    outages: list[OutageTruth]
    touchpoints: int = 0
    repeats: int = 0
    by_type: dict[str, int] = msgspec.field(default_factory=dict)
    orders: int = 0
    revenue_minor: int = 0
    orders_lost: int = 0
    lost_minor: int = 0
    refunds: int = 0
    refunds_minor: int = 0
    spend_minor: dict[str, int] = msgspec.field(default_factory=dict)
    orders_by_customer: dict[str, int] = msgspec.field(default_factory=dict)
    devices: dict[str, list[str]] = msgspec.field(default_factory=dict)
    unsubscribed: list[str] = msgspec.field(default_factory=list)
    abandoned: list[AbandonedCart] = msgspec.field(default_factory=list)
    customers: dict[str, HiddenCustomer] = msgspec.field(default_factory=dict)

    def count(self, touchpoint: Touchpoint) -> None:
        """Take in a touchpoint that is recorded for the first time."""
        self.touchpoints += 1
        self.by_type[touchpoint.type] = self.by_type.get(touchpoint.type, 0) + 1
        order, user = touchpoint.order, touchpoint.user_id
        if touchpoint.type == "order_completed" and order is not None and user is not None:
            self.orders += 1
            self.revenue_minor += order.total_minor
            self.orders_by_customer[user] = self.orders_by_customer.get(user, 0) + 1
        elif touchpoint.type == "order_refunded" and order is not None:
            self.refunds += 1
            self.refunds_minor += order.total_minor
        elif touchpoint.spend is not None and touchpoint.channel is not None:
            spent = self.spend_minor.get(touchpoint.channel, 0)
            self.spend_minor[touchpoint.channel] = spent + touchpoint.spend.total_minor
        if user is not None and touchpoint.anonymous_id is not None:
            users = self.devices.setdefault(touchpoint.anonymous_id, [])
            if user not in users:
                users.append(user)

    def to_json(self) -> bytes:
        """Return UTF-8 with sorted keys; the same truth gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"
