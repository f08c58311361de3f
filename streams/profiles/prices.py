"""Prices: what a customer was last shown of each article, as far as a published flow compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.profile import PRICES_MAX, ShownPrice
from streams.settings import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Touchpoint

KEPT_MS = 30 * DAY_MS
"""For so long the highest price of an article counts."""
_SHOWING = frozenset({"product_viewed", "product_added"})


def after(prices: tuple[ShownPrice, ...], event: Touchpoint) -> tuple[ShownPrice, ...]:
    """The prices after an event: those it shows taken in, what it orders left out; the same object if none moved."""
    if event.type == "order_completed":
        ordered = {product.sku for product in event.products}
        kept = tuple([shown for shown in prices if shown.sku not in ordered])
        return kept if len(kept) < len(prices) else prices
    if event.type not in _SHOWING or not event.products:
        return prices
    shown = [ShownPrice(item.sku, item.price_minor, event.time_ms) for item in event.products if item.price_minor]
    if len(shown) == 1 and (not prices or prices[-1].time_ms < event.time_ms):
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
    for place, known in enumerate(prices):
        if known.sku == shown.sku:
            if known.price_minor > shown.price_minor and shown.time_ms - known.time_ms <= KEPT_MS:
                return prices
            return (*prices[:place], *prices[place + 1 :], shown)
    return (*prices, shown)[-PRICES_MAX:]


def drop_percent(prices: Iterable[ShownPrice], event: Touchpoint) -> int:
    """By how many whole percent the article of the event that fell most is below what was shown; 0: none is."""
    falls = [
        (shown.price_minor - item.price_minor) * 100 // shown.price_minor
        for item in event.products
        for shown in prices
        if shown.sku == item.sku and item.price_minor and abs(event.time_ms - shown.time_ms) <= KEPT_MS
    ]
    return max(falls) if falls else 0


def _standing(one: ShownPrice, other: ShownPrice) -> ShownPrice:
    older, newer = sorted((one, other), key=lambda item: (item.time_ms, item.price_minor))
    if newer.time_ms - older.time_ms > KEPT_MS:
        return newer
    return older if older.price_minor > newer.price_minor else newer
