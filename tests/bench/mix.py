"""The event mix of the product's benchmarks, with a seed: shop visits of 1..12 touchpoints by one channel each."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from schemas.touchpoint import Marketing, Order, Product, Touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMERS = 20_000
DAYS = 30
START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
CHANNELS = ("email", "paid_search", "organic", "social", "affiliate", "direct")
KINDS = (
    "product_viewed",
    "product_viewed",
    "product_viewed",
    "product_viewed",
    "page_viewed",
    "product_added",
    "email_opened",
)
STATED = "visits of 1-12 touchpoints: 69 % views, 11 % adds, 11 % opens, 8 % orders; Zipf-like customers, 30 days"


def touchpoints(count: int, seed: int = 1) -> Iterator[Touchpoint]:
    """`count` touchpoints in order of time; the same for the same arguments."""
    chance = random.Random(seed)
    weights = [1 / (rank + 10) ** 0.8 for rank in range(CUSTOMERS)]
    order = list(range(CUSTOMERS))
    chance.shuffle(order)
    gap_ms = DAYS * DAY_MS // count
    time_ms, number = START_MS, 0
    open_visits: list[tuple[int, str, str, int]] = []
    while number < count:
        if len(open_visits) < 200:  # noqa: PLR2004 - visits that go on side by side
            who = chance.choices(order, weights)[0]
            open_visits.append(
                (
                    who,
                    f"visit-{number:08d}-{chance.getrandbits(32):08x}",
                    chance.choice(CHANNELS),
                    chance.randint(1, 12),
                )
            )
            continue
        at = chance.randrange(len(open_visits))
        who, visit, channel, left = open_visits[at]
        time_ms += chance.randint(0, 2 * gap_ms)
        yield _touchpoint(chance, number, time_ms, who, visit, channel, is_last=left == 1)
        number += 1
        if left == 1:
            open_visits[at] = open_visits[-1]
            open_visits.pop()
        else:
            open_visits[at] = (who, visit, channel, left - 1)


def _touchpoint(  # noqa: PLR0913, PLR0917 - what a visit is made of
    chance: random.Random, number: int, time_ms: int, who: int, visit: str, channel: str, *, is_last: bool
) -> Touchpoint:
    kind = "order_completed" if is_last and chance.random() < 0.5 else chance.choice(KINDS)  # noqa: PLR2004 - half convert
    products = tuple(
        Product(sku=f"sku-{chance.randint(0, 4999):05d}", price_minor=chance.randint(199, 19_999), quantity=1)
        for _ in range({"product_viewed": 1, "product_added": 1, "order_completed": 2}.get(kind, 0))
    )
    total = sum(product.price_minor for product in products)
    return Touchpoint(
        event_id=f"{chance.getrandbits(128):032x}",
        source="bench",
        type=kind,
        time_ms=time_ms,
        user_id=f"customer-{who:06d}",
        session_id=visit,
        channel=channel,
        marketing=Marketing(campaign_id=f"campaign-{chance.randint(0, 199):04d}") if channel != "direct" else None,
        order=Order(order_id=f"order-{number:010d}", currency="EUR", total_minor=total)
        if kind == "order_completed"
        else None,
        products=products,
    )
