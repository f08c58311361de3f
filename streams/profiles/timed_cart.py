"""The cart from rules 3 on: it knows when each article was put in, so that a late order takes only what was there.

What is in it does not depend on when an order comes in. It ends a while after the last article was put in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.units import DAY_MS
from streams.profiles.bounds import bounded_cart
from streams.profiles.profile import ADDS_MAX, CART_ITEMS_MAX, Cart, CartItem

if TYPE_CHECKING:
    from schemas.touchpoint import Product

    Adds = tuple[tuple[int, int], ...]
    Line = tuple[CartItem, Adds]

KEPT_MS: Final = 30 * DAY_MS
"""How long after the last add a cart ends: shops keep carts for 14 to 90 days."""


def added(cart: Cart | None, products: tuple[Product, ...], time_ms: int, now_ms: int) -> Cart | None:
    """Return the cart with products added at time_ms; None: it stays empty. Beyond CART_ITEMS_MAX the oldest go.

    What comes in so late that its cart had ended before this one began is left out.
    """
    if cart is not None and first_add_ms(cart) - KEPT_MS >= time_ms:
        return cart
    lines = lines_of(cart)
    for product in products:
        before = lines.pop(product.sku, None)
        adds = _with_add(before[1] if before is not None else (), (time_ms, max(product.quantity, 1)))
        lines[product.sku] = _line(CartItem(product.sku, product.price_minor, 0), adds)
    opened_ms = time_ms if cart is None else cart.opened_ms
    return cart_of(list(lines.values())[-CART_ITEMS_MAX:], opened_ms, now_ms)


def removed(cart: Cart | None, products: tuple[Product, ...]) -> Cart | None:
    """Return the cart with products taken out, those first that were put in last; None: it is empty now."""
    if cart is None:
        return None
    lines = lines_of(cart)
    for product in products:
        before = lines.get(product.sku)
        if before is None:
            continue
        left, adds = max(product.quantity, 1), before[1]
        while adds and left >= adds[-1][1]:
            left -= adds[-1][1]
            adds = adds[:-1]
        if adds:
            lines[product.sku] = _line(before[0], (*adds[:-1], (adds[-1][0], adds[-1][1] - left)))
        else:
            del lines[product.sku]
    return cart_of(list(lines.values()), cart.opened_ms, cart.added_ms)


def after_order(cart: Cart | None, order_ms: int) -> Cart | None:
    """Return what was put in after an order of that time; None: nothing. The same object if all was.

    The first of these adds has opened the cart then.
    """
    if cart is None or all(adds[0][0] > order_ms for adds in cart.adds):
        return cart
    lines = []
    for item, adds in zip(cart.items, cart.adds, strict=True):
        later = tuple([add for add in adds if add[0] > order_ms])
        if later:
            lines.append(_line(item, later))
    return cart_of(lines, min([adds[0][0] for _, adds in lines], default=0), cart.added_ms)


def current(cart: Cart | None, now_ms: int) -> Cart | None:
    """Return the cart; None: it has ended by now."""
    return None if cart is None or has_ended(cart, now_ms) else cart


def has_ended(cart: Cart, at_ms: int) -> bool:
    """Return whether a cart had ended by a time, because nothing was put in for KEPT_MS."""
    since_ms = at_ms - KEPT_MS
    # nearly always the last article says it
    return cart.adds[-1][-1][0] <= since_ms and all(adds[-1][0] <= since_ms for adds in cart.adds)


def first_add_ms(cart: Cart) -> int:
    """Return when the first of what is in the cart was put in; `Cart.opened_ms` is of what came in first."""
    return min([adds[0][0] for adds in cart.adds])


def last_add_ms(cart: Cart) -> int:
    """Return when the last of what is in the cart was put in."""
    return max([adds[-1][0] for adds in cart.adds])


def timed(cart: Cart | None) -> Cart | None:
    """Return a cart that earlier rules kept, as if all was put in when the last article was."""
    if cart is None or cart.adds:
        return cart
    return msgspec.structs.replace(cart, adds=tuple([((cart.added_ms, item.quantity),) for item in cart.items]))


def united(one: Cart | None, other: Cart | None) -> Cart | None:
    """Unite two carts; an article in both has the greater quantity, and the price and last add of the later cart."""
    if one is None or other is None:
        return one or other
    older, newer = sorted((one, other), key=_age)
    lines = lines_of(older)
    for sku, (item, adds) in lines_of(newer).items():
        same = lines.pop(sku, None)
        lines[sku] = _line(item, adds if same is None else _united_adds(same[1], adds))
    return cart_of(list(lines.values())[-CART_ITEMS_MAX:], min(one.opened_ms, other.opened_ms), newer.added_ms)


def joined(one: Cart | None, other: Cart | None) -> Cart | None:
    """Unite the carts of two users, as `united`, but so that it does not matter in which order more of them are."""
    if one is None or other is None:
        return one or other
    lines = lines_of(one)
    for sku, (item, adds) in lines_of(other).items():
        same = lines.get(sku)
        lines[sku] = (item, adds) if same is None else _joined(same, (item, adds))
    ordered = sorted(lines.values(), key=lambda line: (line[1][-1][0], line[0].sku))[-CART_ITEMS_MAX:]
    return cart_of(ordered, min(one.opened_ms, other.opened_ms), max(one.added_ms, other.added_ms))


def _joined(one: Line, other: Line) -> Line:
    """Return an article with the price of the later add, and the adds with the greater quantity until that time."""
    last_ms, price = max([(adds[-1][0], item.price_minor) for item, adds in (one, other)])
    more = max((one[1], other[1]), key=lambda adds: (_quantity(adds), adds[:-1], adds[-1][1]))
    return _line(CartItem(one[0].sku, price, 0), (*more[:-1], (last_ms, more[-1][1])))


def lines_of(cart: Cart | None) -> dict[str, Line]:
    """Return by name each article of a cart, with its adds."""
    if cart is None:
        return {}
    return {item.sku: (item, adds) for item, adds in zip(cart.items, cart.adds, strict=True)}


def _line(item: CartItem, adds: Adds) -> Line:
    return CartItem(item.sku, item.price_minor, _quantity(adds)), adds


def _quantity(adds: Adds) -> int:
    return sum([quantity for _, quantity in adds])


def _united_adds(one: Adds, other: Adds) -> Adds:
    """Return the adds with the greater quantity, as if the last of them was the last of all."""
    more = max(other, one, key=_quantity)
    return (*more[:-1], (max(one[-1][0], other[-1][0]), more[-1][1]))


def _with_add(adds: Adds, add: tuple[int, int]) -> Adds:
    """Add in order of time; beyond ADDS_MAX the two oldest become one, at the time of the later."""
    ordered = tuple(sorted((*adds, add)))
    if len(ordered) <= ADDS_MAX:
        return ordered
    (_, first), (time_ms, second) = ordered[:2]
    return ((time_ms, first + second), *ordered[2:])


def cart_of(lines: list[Line], opened_ms: int, added_ms: int) -> Cart | None:
    """Return the cart of these lines within its limits; None: it is empty."""
    if not lines:
        return None
    items = tuple([item for item, _ in lines])
    return bounded_cart(Cart(opened_ms, added_ms, items, tuple([adds for _, adds in lines])))


def _age(cart: Cart) -> tuple[int, list[tuple[object, ...]]]:
    # carts of one instant are ordered by their items, so that uniting gives the same from either side
    return cart.added_ms, [msgspec.structs.astuple(item) for item in cart.items]
