"""What messages can say of articles and of the last order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.profiles.bounds import bounded_products
from streams.profiles.claims import plain_id
from streams.profiles.effects import hash_64
from streams.profiles.profile import CartItem, OrderContent

if TYPE_CHECKING:
    from schemas.touchpoint import Product, Touchpoint
    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings

PRODUCTS_MAX = 10
"""Articles of an event that are kept to show."""


def first_articles(products: tuple[Product, ...]) -> tuple[CartItem, ...]:
    """Return the first PRODUCTS_MAX articles of an event, each with at least one piece."""
    return tuple([CartItem(item.sku, item.price_minor, max(item.quantity, 1)) for item in products[:PRODUCTS_MAX]])


def with_order_content(profile: Profile, event: Touchpoint, settings: DomainSettings) -> Profile:
    """Return the profile with what messages can say of an order, unless it holds that of a later one."""
    order, before = event.order, profile.order_content
    if order is None:
        return profile
    id_hash = hash_64(order.order_id)
    if before is not None and (before.time_ms, before.id_hash) > (event.time_ms, id_hash):
        return profile
    articles = bounded_products(first_articles(event.products))
    order_id = plain_id(order.order_id, settings)
    content = OrderContent(event.time_ms, id_hash, order_id, order.currency, order.total_minor, articles)
    return msgspec.structs.replace(profile, order_content=content)


def united(one: OrderContent | None, other: OrderContent | None) -> OrderContent | None:
    """Return the content of the later order."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=_by_time)


def _by_time(content: OrderContent) -> tuple[int, int, str]:
    return content.time_ms, content.id_hash, content.currency
