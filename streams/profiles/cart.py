"""The cart: what was added, and neither removed nor ordered since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.profiles.profile import CART_ITEMS_MAX, Cart, CartItem

if TYPE_CHECKING:
    from schemas.touchpoint import Product


def added(cart: Cart | None, products: tuple[Product, ...], time_ms: int, now_ms: int) -> Cart | None:
    """Return the cart with products added at time_ms; None: it stays empty. Beyond CART_ITEMS_MAX the oldest go."""
    items = {item.sku: item for item in cart.items} if cart is not None else {}
    for product in products:
        before = items.pop(product.sku, None)
        quantity = max(product.quantity, 1) + (before.quantity if before is not None else 0)
        items[product.sku] = CartItem(product.sku, product.price_minor, quantity)
    if not items:
        return None
    kept = tuple(items.values())[-CART_ITEMS_MAX:]
    return Cart(cart.opened_ms if cart is not None else time_ms, now_ms, kept)


def removed(cart: Cart | None, products: tuple[Product, ...]) -> Cart | None:
    """Return the cart with products taken out; None: it is empty now."""
    if cart is None:
        return None
    items = {item.sku: item for item in cart.items}
    for product in products:
        before = items.get(product.sku)
        if before is None:
            continue
        if before.quantity > max(product.quantity, 1):
            items[product.sku] = CartItem(before.sku, before.price_minor, before.quantity - max(product.quantity, 1))
        else:
            del items[product.sku]
    return Cart(cart.opened_ms, cart.added_ms, tuple(items.values())) if items else None


def united(one: Cart | None, other: Cart | None) -> Cart | None:
    """Unite two carts; an article in both has the greater quantity and the price of the later cart."""
    if one is None or other is None:
        return one or other
    older, newer = sorted((one, other), key=_age)
    items = {item.sku: item for item in older.items}
    for item in newer.items:
        same = items.pop(item.sku, None)
        items[item.sku] = CartItem(item.sku, item.price_minor, max(item.quantity, same.quantity if same else 0))
    return Cart(min(one.opened_ms, other.opened_ms), newer.added_ms, tuple(items.values())[-CART_ITEMS_MAX:])


def _age(cart: Cart) -> tuple[int, list[tuple[object, ...]]]:
    # carts of one instant are ordered by their items, so that uniting gives the same from either side
    return cart.added_ms, [msgspec.structs.astuple(item) for item in cart.items]
