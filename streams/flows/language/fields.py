"""Fields of profiles and events that conditions may name, and how to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from schemas.units import DAY_MS
from streams.profiles.days import time_of
from streams.profiles.orders import first_order_ms, last_order_ms, mean_gap_ms, orders_that_count, window_sums
from streams.profiles.prices import drop_percent
from streams.profiles.profile import MESSAGES_MAX, TOUCHES_MAX, VIEWS_MAX
from streams.profiles.rfm import segment_of
from streams.profiles.segments import GRID_SEGMENTS, NO_ORDER, UNSCORED
from streams.profiles.traits import trait
from streams.profiles.views import KEPT_DAYS as VIEWS_KEPT_DAYS
from streams.profiles.views import views_since
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.touchpoint import Touchpoint
    from streams.profiles.attributes import First
    from streams.profiles.profile import Cart, Profile

NumberField = Literal["cart_items", "cart_total_minor", "orders", "spend_minor"]
CountField = Literal["answers", "messages", "orders", "spend_minor", "touches", "views"]
AgeField = Literal["cart_age", "first_order_age", "first_seen_age", "last_message_age", "last_order_age"]
TextField = Literal["country", "first_channel", "first_country", "language", "lifecycle", "segment", "signup_source"]
EventNumberField = Literal["event.order.discount_minor", "event.order.total_minor", "event.products.price_drop_percent"]
EventTextField = Literal[
    "event.channel",
    "event.country",
    "event.message.flow_id",
    "event.name",
    "event.products.category",
    "event.products.sku",
    "event.source",
]
DateField = Literal["first_order", "last_order", "next_order"]
PROPERTY = "event.properties."
"""Prefix of the name of an event's property."""
TRAIT = "traits."
"""Prefix of the name of a customer's attribute."""
LANGUAGE = "language"
"""The attribute of the customer that is a field of its own, too."""

SEGMENTS = (*GRID_SEGMENTS, "Others", NO_ORDER, UNSCORED)
STAGES = ("prospect", "first_time", "active", "at_risk", "lapsed", "reactivated")


VIEWS: CountField = "views"
LAST_ORDER: AgeField = "last_order_age"
"""Since the last order that counts."""
_ALL_TIME_MS = 1 << 62


def cart_total_minor(cart: Cart | None) -> int:
    """Return the value of the cart in minor units."""
    return 0 if cart is None else sum([item.price_minor * item.quantity for item in cart.items])


def _answers(profile: Profile, now_ms: int, within_ms: int, _category: str | None) -> int:
    """Count answers by whole days (UTC), as the profile keeps them; today is one."""
    oldest = (now_ms - within_ms) // DAY_MS
    return sum(count for day, count in profile.answers if day > oldest)


def _since(times: Iterable[int], after_ms: int) -> int:
    return sum(time_ms > after_ms for time_ms in times)


NUMBERS: dict[NumberField, Callable[[Profile], int]] = {
    "cart_items": lambda profile: 0 if profile.cart is None else len(profile.cart.items),
    "cart_total_minor": lambda profile: cart_total_minor(profile.cart),
    "orders": orders_that_count,
    "spend_minor": lambda profile: window_sums(profile, 0, _ALL_TIME_MS).minor,
}

COUNTS: dict[CountField, Callable[[Profile, int, int, str | None], int]] = {
    "answers": _answers,
    "messages": lambda profile, now, within, _: _since((one.time_ms for one in profile.messages), now - within),
    "orders": lambda profile, now, within, _: window_sums(profile, now, within).orders,
    "spend_minor": lambda profile, now, within, _: window_sums(profile, now, within).minor,
    "touches": lambda profile, now, within, _: _since((one.time_ms for one in profile.touches), now - within),
    VIEWS: lambda profile, now, within, category: views_since(profile.views, category, now - within),
}
"""(profile, now_ms, within_ms, category for views only): how much happened after now - within."""

KEPT_DAYS: dict[CountField, int] = {"answers": 90, "messages": 30, "touches": 90, VIEWS: VIEWS_KEPT_DAYS}
"""How many days the profile keeps; it keeps all orders, old ones as sums by month."""

KEPT_MOST: dict[CountField, int] = {"messages": MESSAGES_MAX, "touches": TOUCHES_MAX, VIEWS: VIEWS_MAX}
"""How many the profile keeps, the newest."""

AGES: dict[AgeField, Callable[[Profile], int | None]] = {
    "cart_age": lambda profile: None if profile.cart is None else profile.cart.added_ms,
    "first_order_age": first_order_ms,
    "first_seen_age": lambda profile: profile.first_ms or None,
    "last_message_age": lambda profile: profile.messages[-1].time_ms if profile.messages else None,
    LAST_ORDER: last_order_ms,
}
"""The time from which the age counts; None: it never happened."""

TEXTS: dict[TextField, Callable[[Profile], str]] = {
    "country": lambda profile: "" if profile.country is None else profile.country[0],
    "first_channel": lambda profile: _first(profile.attributes.channel) if profile.attributes is not None else "",
    "first_country": lambda profile: _first(profile.attributes.country) if profile.attributes is not None else "",
    "language": lambda profile: trait(profile.attributes, LANGUAGE) or "",
    "lifecycle": lambda profile: profile.lifecycle,
    "segment": lambda profile: segment_of(profile.score),
    "signup_source": lambda profile: _first(profile.attributes.signup_source) if profile.attributes is not None else "",
}


def _first(known: First | None) -> str:
    return "" if known is None else known.text


def attribute_of(field: str, profile: Profile, event: Touchpoint | None) -> str | None:
    """Return the text of traits.NAME or event.properties.NAME; None: there is none."""
    if field.startswith(TRAIT):
        return trait(profile.attributes, field.removeprefix(TRAIT))
    return None if event is None else event.properties.get(field.removeprefix(PROPERTY))


def _next_order_ms(profile: Profile) -> int | None:
    """Return the last order's time plus the mean time between orders; None with fewer than two orders."""
    last_ms, gap_ms = last_order_ms(profile), mean_gap_ms(profile)
    return None if last_ms is None or not gap_ms else last_ms + gap_ms


DATES: dict[DateField, Callable[[Profile], int | None]] = {
    "first_order": first_order_ms,
    "last_order": last_order_ms,
    "next_order": _next_order_ms,
}
"""Past and expected times that follow from a profile's orders; None: there is none."""


def date_ms(field: DateField, profile: Profile, default_zone: str, shift_ms: int) -> int | None:
    """Return a date of the profile or of traits.NAME, shifted; None: there is none."""
    if field.startswith(TRAIT):
        text = trait(profile.attributes, field.removeprefix(TRAIT))
        return None if text is None else time_of(text, zone_of(profile.time_zone, default_zone), shift_ms)
    time_ms = DATES[field](profile)
    return None if time_ms is None else time_ms + shift_ms


PAST_DATES = frozenset[DateField]({"first_order", "last_order"})

PRICE_DROP: EventNumberField = "event.products.price_drop_percent"
EVENT_NUMBERS: dict[EventNumberField, Callable[[Profile, Touchpoint], int | None]] = {
    "event.order.discount_minor": lambda _, event: event.order.discount_minor if event.order else None,
    "event.order.total_minor": lambda _, event: event.order.total_minor if event.order else None,
    PRICE_DROP: drop_percent,
}

EVENT_TEXTS: dict[EventTextField, Callable[[Touchpoint], Iterable[str | None]]] = {
    "event.channel": lambda event: (event.channel,),
    "event.country": lambda event: (event.country,),
    "event.message.flow_id": lambda event: (event.message.flow_id,) if event.message else (),
    "event.name": lambda event: (event.name,),
    "event.products.category": lambda event: [product.category for product in event.products],
    "event.products.sku": lambda event: [product.sku for product in event.products],
    "event.source": lambda event: (event.source,),
}
"""The values of an event's field; for fields of products, the values of all products."""
