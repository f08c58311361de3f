"""The largest values that the door lets through, found by asking it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.limits import LONG_MAX
from schemas.touchpoint import Consent, Marketing, Message, Order, Product, Spend, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.settings import DomainSettings

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE = "\N{GRINNING FACE}"
"""A character of four bytes in UTF-8."""
START_MS = 1_767_225_600_000
MOST = 1 << 21
"""Above any limit of a text, a number of lines or an amount that is asked for by doubling."""
SETTINGS = DomainSettings()

Change = dict[str, Any]

EMPTY = Touchpoint("e-1", "page_viewed", START_MS, user_id="1", anonymous_id="1")
_PARTS: dict[str, Any] = {
    "marketing": Marketing(),
    "message": Message(),
    "order": Order("1", "EUR", 1),
    "spend": Spend("EUR", 1),
    "consent": Consent("email", granted=True),
}


def passes(event: Touchpoint) -> bool:
    """Return whether the door lets a touchpoint through."""
    try:
        return isinstance(collect(SINGLE_OBJECT.encode(event), event.time_ms, SINGLE_OBJECT, SETTINGS), Collected)
    except RefusedRecord:
        return False


def most(make: Callable[[int], Touchpoint]) -> int:
    """Return the largest number below MOST with which a touchpoint passes; 0: none does."""
    least, over = 0, 1
    while over < MOST and passes(make(over)):
        least, over = over, 2 * over
    return _most_between(least, over, make)


def _most_between(least: int, over: int, make: Callable[[int], Touchpoint]) -> int:
    """Return the largest number from `least`, which passes, and below `over`, which does not."""
    while over - least > 1:
        middle = (least + over) // 2
        if passes(make(middle)):
            least = middle
        else:
            over = middle
    return least


@cache
def longest(path: str, character: str = WIDE) -> int:
    """Return how many of a character pass in a text field such as `channel` or `order.coupon`."""
    return most(lambda count: with_text(EMPTY, path, character * count))


@cache
def most_lines() -> int:
    """Return how many lines of an order pass."""
    return most(lambda count: with_lines(EMPTY, [Product("1", 1, 1)] * count))


@cache
def most_properties() -> int:
    """Return how many short properties pass."""
    return most(lambda count: msgspec.structs.replace(EMPTY, properties={str(n): "" for n in range(count)}))


@cache
def longest_property() -> int:
    """Return how many wide characters pass in a property's value."""
    return most(lambda count: msgspec.structs.replace(EMPTY, properties={"p": WIDE * count}))


@cache
def largest_amount() -> int:
    """Return the largest total of an order that passes, in minor units."""
    return _most_between(0, LONG_MAX, lambda minor: msgspec.structs.replace(EMPTY, order=Order("1", "EUR", minor)))


@cache
def largest_quantity() -> int:
    """Return the largest quantity of a line that passes."""
    return _most_between(0, LONG_MAX, lambda quantity: with_lines(EMPTY, [Product("1", 1, quantity)]))


def with_text(event: Touchpoint, path: str, text: str) -> Touchpoint:
    """Return the touchpoint with one text set; `path` may name a part, as `marketing.utm_term`, or `products.sku`."""
    part, _, name = path.rpartition(".")
    if not part:
        return msgspec.structs.replace(event, **{name: text})
    if part == "products":
        line = msgspec.structs.replace(Product("1", 1, 1), **{name: text})
        return with_lines(event, [line])
    held = getattr(event, part) or _PARTS[part]
    return msgspec.structs.replace(event, **{part: msgspec.structs.replace(held, **{name: text})})


def with_lines(event: Touchpoint, lines: list[Product]) -> Touchpoint:
    """Return the touchpoint with these lines."""
    return msgspec.structs.replace(event, products=tuple(lines))
