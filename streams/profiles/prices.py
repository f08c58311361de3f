"""The price that a customer was last shown of each article, if a published flow compares prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.touchpoint import CURRENCY
from schemas.units import DAY_MS
from streams.profiles.profile import PRICES_MAX, ShownPrice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Product, Touchpoint
    from streams.profiles.profile import Profile

KEPT_MS = 30 * DAY_MS
"""How long the highest price of an article counts."""
_SHOWING = frozenset({"product_viewed", "product_added"})


def after(prices: tuple[ShownPrice, ...], event: Touchpoint) -> tuple[ShownPrice, ...]:
    """Add the prices that an event shows, and drop the articles that it orders; the same object if none changes."""
    kind, items = event.type, event.products
    if kind == "order_completed":
        ordered = {item.sku for item in items}
        kept = tuple([shown for shown in prices if shown.sku not in ordered])
        return kept if len(kept) < len(prices) else prices
    if kind not in _SHOWING or not items:
        return prices
    time_ms = event.time_ms
    shown = [ShownPrice(item.sku, price, time_ms) for item in items if (price := item.price_minor)]
    if len(shown) == 1 and (not prices or prices[-1].time_ms < time_ms):
        return _with_newest(prices, shown[0])
    return united(prices, shown) if shown else prices


def without_foreign_prices(event: Touchpoint, reporting_currency: str) -> Touchpoint:
    """Return a touchpoint that names a currency without prices, if it is another one: they cannot be compared."""
    if event.properties[CURRENCY] == reporting_currency:
        return event
    products = tuple([msgspec.structs.replace(each, price_minor=0) for each in event.products])
    return msgspec.structs.replace(event, products=products)


def without_ordered(prices: tuple[ShownPrice, ...], event: Touchpoint) -> tuple[ShownPrice, ...]:
    """Drop the articles of an order, but for those shown after it: it may have come in late."""
    ordered, order_ms = {item.sku for item in event.products}, event.time_ms
    kept = tuple([shown for shown in prices if shown.sku not in ordered or shown.time_ms > order_ms])
    return kept if len(kept) < len(prices) else prices


def united(one: Iterable[ShownPrice], other: Iterable[ShownPrice]) -> tuple[ShownPrice, ...]:
    """Keep the highest price of each article, or a lower one shown 30 days later; the newest PRICES_MAX."""
    kept = {item.sku: item for item in one}
    for item in other:
        same = kept.get(item.sku)
        kept[item.sku] = item if same is None else _that_counts(same, item)
    return tuple(sorted(kept.values(), key=lambda item: (item.time_ms, item.sku))[-PRICES_MAX:])


def _with_newest(prices: tuple[ShownPrice, ...], shown: ShownPrice) -> tuple[ShownPrice, ...]:
    """Do as `united` for a price that was shown after all others, as most are."""
    sku = shown.sku
    for index, before in enumerate(prices):
        if before.sku == sku:
            if before.price_minor > shown.price_minor and shown.time_ms - before.time_ms <= KEPT_MS:
                return prices
            return (*prices[:index], *prices[index + 1 :], shown)
    return (*prices, shown)[-PRICES_MAX:]


def drop_percent(profile: Profile, event: Touchpoint) -> int:
    """Return by how many whole percent an article of the event fell below the price shown before; 0: none did.

    Of several articles, the one that fell most.
    """
    most: int | None = None
    prices, time_ms = profile.prices, event.time_ms
    for item in event.products:
        fall = _fall_percent(prices, item, time_ms)
        if fall is not None and (most is None or fall > most):
            most = fall
    return most or 0


def _fall_percent(prices: tuple[ShownPrice, ...], item: Product, time_ms: int) -> int | None:
    sku, price_minor = item.sku, item.price_minor
    # each article is there once, and what was shown last is at the end
    for index in range(len(prices) - 1, -1, -1):
        shown = prices[index]
        if shown.sku == sku:
            if not price_minor or abs(time_ms - shown.time_ms) > KEPT_MS:
                return None
            return (shown.price_minor - price_minor) * 100 // shown.price_minor
    return None


def _that_counts(one: ShownPrice, other: ShownPrice) -> ShownPrice:
    older, newer = sorted((one, other), key=lambda item: (item.time_ms, item.price_minor))
    if newer.time_ms - older.time_ms > KEPT_MS:
        return newer
    return older if older.price_minor > newer.price_minor else newer
