"""A profile within its limits of bytes: of each list the newest items stay that fit.

To keep the newest that fit does not depend on the order in which items came, or profiles were merged: what is left out
beside some items is left out beside more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from schemas.journal import RULES_4
from schemas.limits import (
    CART_BYTES_MAX,
    ENTRY_TIMERS_MAX,
    INT_MAX,
    LINKED_BYTES_MAX,
    MONTH_MINOR_MAX,
    MONTHS_MAX,
    NAMES_BYTES_MAX,
    PATH_MAX,
    PRICES_BYTES_MAX,
    RUN_PRODUCTS_BYTES_MAX,
    TEXT_BYTES_MAX,
    TRAIL_BYTES_MAX,
    TRAIL_MAX,
    UNMATCHED_BYTES_MAX,
    VIEWS_BYTES_MAX,
)
from streams.profiles.answered import CONSENT_CHANNELS
from streams.profiles.profile import (
    ENTRIES_MAX,
    Cart,
    CartItem,
    CategoryView,
    Conversion,
    OrderMonth,
    Profile,
    ShownPrice,
    Touch,
)
from streams.profiles.slots import recent_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.profiles.entered import Entered

T = TypeVar("T")

SLOTS_MAX: Final = 200
"""Promotional messages of 30 days that an address remembers, each with 20 bytes: as many as a profile does."""
SLOTS_WAITING_BYTES_MAX: Final = 100_000
"""Bytes of what an address is asked and has not answered: 1,000 messages of profiles with short keys.

One has a key of 514 bytes, 38 of an id, 18 of times, and 12 for each of 101 limits at most. Beside them an address
has LINKED_BYTES_MAX, its statements and what is known of it, and so less than 172,000 bytes with this.
"""

_TEXT_HEAD: Final = 3
_ARTICLE: Final = 21 + _TEXT_HEAD
"""Bytes of an article beside its name: two integers, and what begins text and structure."""
_VIEW: Final = 19 + _TEXT_HEAD
_FEW_TOUCHES: Final = NAMES_BYTES_MAX // (2 * TEXT_BYTES_MAX)
"""So many touches fit whatever their names are."""

_replace = msgspec.structs.replace


def utf8_bytes(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def text_bytes(text: str) -> int:
    """Return how many bytes a text in a profile takes, with what begins it."""
    return _TEXT_HEAD + utf8_bytes(text)


def newest(items: tuple[T, ...], bytes_of: Callable[[T], int], bytes_max: int) -> tuple[T, ...]:
    """Return the last items that together have at most so many bytes; the same object if all have."""
    left = bytes_max
    for index in range(len(items) - 1, -1, -1):
        left -= bytes_of(items[index])
        if left < 0:
            return items[index + 1 :]
    return items


def bounded_cart(cart: Cart | None) -> Cart | None:
    """Return the cart with the articles added last that fit, at most INT_MAX of each; None: it is empty."""
    if cart is None:
        return None
    items = newest(cart.items, _article_bytes, CART_BYTES_MAX)
    for item in items:
        if item.quantity > INT_MAX:
            items = tuple([_replace(each, quantity=min(each.quantity, INT_MAX)) for each in items])
            break
    if items is cart.items:
        return cart
    # by rules 1 and 2 it has no adds
    return _replace(cart, items=items, adds=cart.adds[-len(items) :]) if items else None


def attributes_bytes(attributes: tuple[tuple[str, str], ...]) -> int:
    """Return how many bytes the attributes of a run take."""
    return sum([1 + text_bytes(name) + text_bytes(text) for name, text in attributes])


def bounded_products(items: tuple[CartItem, ...], taken: int = 0) -> tuple[CartItem, ...]:
    """Return the first articles of an entry event that a run has room for, beside the bytes that are taken."""
    left = RUN_PRODUCTS_BYTES_MAX - taken
    for index, item in enumerate(items):
        left -= _article_bytes(item)
        if left < 0:
            return items[:index]
    return items


def bounded_prices(prices: tuple[ShownPrice, ...]) -> tuple[ShownPrice, ...]:
    """Return the prices shown last that fit."""
    return newest(prices, _article_bytes, PRICES_BYTES_MAX)


def bounded_views(views: tuple[CategoryView, ...]) -> tuple[CategoryView, ...]:
    """Return the last views that fit."""
    return newest(views, lambda view: _VIEW + utf8_bytes(view.category), VIEWS_BYTES_MAX)


def bounded_links(linked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys linked last that fit."""
    return newest(linked, text_bytes, LINKED_BYTES_MAX)


def bounded_ids(order_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last ids of unknown orders that fit."""
    return newest(order_ids, text_bytes, UNMATCHED_BYTES_MAX)


def bounded_months(months: tuple[OrderMonth, ...]) -> tuple[OrderMonth, ...]:
    """Return the last MONTHS_MAX months, each with at most MONTH_MINOR_MAX."""
    kept = months if len(months) <= MONTHS_MAX else months[-MONTHS_MAX:]
    for month in kept:
        if month.minor > MONTH_MINOR_MAX:
            return tuple([_replace(each, minor=min(each.minor, MONTH_MINOR_MAX)) for each in kept])
    return kept


def bounded_touches(touches: tuple[Touch, ...]) -> tuple[Touch, ...]:
    """Return the newest touches whose different names fit."""
    if len(touches) <= _FEW_TOUCHES:
        return touches
    names = _Names(NAMES_BYTES_MAX)
    for index in range(len(touches) - 1, -1, -1):
        names.add(touches[index])
        if names.left < 0:
            return touches[index + 1 :]
    return touches


def fitting(conversions: tuple[Conversion, ...], others: Mapping[str, tuple[Conversion, ...]]) -> int:
    """Return how many of the newest conversions fit with their paths and those of the `others` of each order."""
    room = _Room()
    for count, conversion in enumerate(reversed(conversions)):
        if not room.takes((conversion, *others.get(conversion.order_id, ()))):
            return count
    return len(conversions)


class _Names:
    """Bytes that are left for different names."""

    def __init__(self, bytes_max: int) -> None:
        self.left = bytes_max
        self._names: set[str] = set()

    def add(self, touch: Touch) -> None:
        for name in (touch.channel, touch.campaign_id):
            if name is not None and name not in self._names:
                self._names.add(name)
                self.left -= utf8_bytes(name)


class _Room:
    """What is left for paths; equal touches and names count once."""

    def __init__(self) -> None:
        self._names = _Names(TRAIL_BYTES_MAX)
        self._touches: set[Touch] = set()

    def takes(self, conversions: tuple[Conversion, ...]) -> bool:
        names, touches = self._names, self._touches
        for conversion in conversions:
            if len(conversion.path) > PATH_MAX:
                return False
            for touch in conversion.path:
                if touch not in touches:
                    touches.add(touch)
                    names.add(touch)
        names.left -= utf8_bytes(conversions[0].order_id)
        return names.left >= 0 and len(touches) <= TRAIL_MAX


def within_limits(profile: Profile, rules: int) -> Profile:
    """Return a profile that earlier rules bounded, or that a merge made, within the limits of these rules.

    Its runs, pending messages and conversions are left to the modules that have their rules.
    """
    return _replace(
        profile,
        linked=bounded_links(profile.linked),
        months=bounded_months(profile.months),
        cart=bounded_cart(profile.cart),
        touches=bounded_touches(profile.touches),
        answers=recent_answers(profile.answers, profile.clock_ms),
        consents=tuple([item for item in profile.consents if item.channel in CONSENT_CHANNELS]),
        answered=tuple([each for each in profile.answered if each[0] in CONSENT_CHANNELS]),
        entries=_newest_entries(profile.entries),
        prices=bounded_prices(profile.prices),
        entry_timers=profile.entry_timers[:ENTRY_TIMERS_MAX],
        views=bounded_views(profile.views),
        ids_alone_ms=profile.clock_ms if profile.rules < RULES_4 <= rules and profile.seen else profile.ids_alone_ms,
        rules=rules,
    )


def _newest_entries(entries: tuple[Entered, ...]) -> tuple[Entered, ...]:
    if len(entries) <= ENTRIES_MAX:
        return entries
    kept = sorted(entries, key=lambda entry: (entry.time_ms, entry.flow_id))[-ENTRIES_MAX:]
    return tuple(sorted(kept, key=lambda entry: entry.flow_id))


def _article_bytes(item: CartItem | ShownPrice) -> int:
    return _ARTICLE + utf8_bytes(item.sku)
