"""The cart: what was added and not removed or ordered since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.profiles.profile import CART_ITEMS_MAX, Cart, CartItem

if TYPE_CHECKING:
    from schemas.touchpoint import Product


def added(cart: Cart | None, products: tuple[Product, ...], time_ms: int, now_ms: int) -> Cart | None:
    """The cart with products added at time_ms; None when it stays empty. Beyond CART_ITEMS_MAX the oldest go."""
    items = {item.sku: item for item in cart.items} if cart is not None else {}
    for product in products:
        known = items.pop(product.sku, None)
        quantity = max(product.quantity, 1) + (known.quantity if known is not None else 0)
        items[product.sku] = CartItem(product.sku, product.price_minor, quantity)
    if not items:
        return None
    kept = tuple(items.values())[-CART_ITEMS_MAX:]
    return Cart(cart.opened_ms if cart is not None else time_ms, now_ms, kept)


def removed(cart: Cart | None, products: tuple[Product, ...]) -> Cart | None:
    """The cart with products taken out; None when that empties it."""
    if cart is None:
        return None
    items = {item.sku: item for item in cart.items}
    for product in products:
        known = items.get(product.sku)
        if known is None:
            continue
        if known.quantity > max(product.quantity, 1):
            items[product.sku] = CartItem(known.sku, known.price_minor, known.quantity - max(product.quantity, 1))
        else:
            del items[product.sku]
    return Cart(cart.opened_ms, cart.added_ms, tuple(items.values())) if items else None


def united(one: Cart | None, other: Cart | None) -> Cart | None:
    """Both carts; of an article in both, the greater quantity and the price of the later cart."""
    if one is None or other is None:
        return one or other
    older, newer = sorted((one, other), key=_age)
    items = {item.sku: item for item in older.items}
    for item in newer.items:
        known = items.pop(item.sku, None)
        items[item.sku] = CartItem(item.sku, item.price_minor, max(item.quantity, known.quantity if known else 0))
    return Cart(min(one.opened_ms, other.opened_ms), newer.added_ms, tuple(items.values())[-CART_ITEMS_MAX:])


def _age(cart: Cart) -> tuple[int, list[tuple[object, ...]]]:
    # carts of one instant have an order too, so that uniting is the same from either side
    return cart.added_ms, [msgspec.structs.astuple(item) for item in cart.items]
