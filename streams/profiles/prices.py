"""Prices: what a customer was last shown of each article, as far as a published flow compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import DAY_MS
from streams.profiles.profile import PRICES_MAX, ShownPrice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Product, Touchpoint
    from streams.profiles.profile import Profile

KEPT_MS = 30 * DAY_MS
"""For so long the highest price of an article counts."""
_SHOWING = frozenset({"product_viewed", "product_added"})


def after(prices: tuple[ShownPrice, ...], event: Touchpoint) -> tuple[ShownPrice, ...]:
    """The prices after an event: those it shows taken in, what it orders left out; the same object if none moved."""
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


def united(one: Iterable[ShownPrice], other: Iterable[ShownPrice]) -> tuple[ShownPrice, ...]:
    """Of each article the highest price, unless the lower one was shown 30 days later; the newest PRICES_MAX."""
    kept = {item.sku: item for item in one}
    for item in other:
        known = kept.get(item.sku)
        kept[item.sku] = item if known is None else _standing(known, item)
    return tuple(sorted(kept.values(), key=lambda item: (item.time_ms, item.sku))[-PRICES_MAX:])


def _with_newest(prices: tuple[ShownPrice, ...], shown: ShownPrice) -> tuple[ShownPrice, ...]:
    """As `united` with a price that was shown after all others, which most are."""
    for index, known in enumerate(prices):
        if known.sku == shown.sku:
            if known.price_minor > shown.price_minor and shown.time_ms - known.time_ms <= KEPT_MS:
                return prices
            return (*prices[:index], *prices[index + 1 :], shown)
    return (*prices, shown)[-PRICES_MAX:]


def drop_percent(profile: Profile, event: Touchpoint) -> int:
    """By how many whole percent the article of the event that fell most is below what was shown; 0: none is."""
    most: int | None = None
    prices, time_ms = profile.prices, event.time_ms
    for item in event.products:
        fall = _fall_percent(prices, item, time_ms)
        if fall is not None and (most is None or fall > most):
            most = fall
    return most or 0


def _fall_percent(prices: tuple[ShownPrice, ...], item: Product, time_ms: int) -> int | None:
    sku, price_minor = item.sku, item.price_minor
    # each article stands there once, and what was shown last at the end
    for place in range(len(prices) - 1, -1, -1):
        shown = prices[place]
        if shown.sku == sku:
            if not price_minor or abs(time_ms - shown.time_ms) > KEPT_MS:
                return None
            return (shown.price_minor - price_minor) * 100 // shown.price_minor
    return None


def _standing(one: ShownPrice, other: ShownPrice) -> ShownPrice:
    older, newer = sorted((one, other), key=lambda item: (item.time_ms, item.price_minor))
    if newer.time_ms - older.time_ms > KEPT_MS:
        return newer
    return older if older.price_minor > newer.price_minor else newer
