"""The event mixes of the product's benchmarks: a real clickstream over and over, and a made shop with many orders."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.touchpoint import Marketing, Order, Product, Touchpoint
from schemas.units import HOUR_MS
from streams.demo.servers.places import data_dir
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS = 20_000
DAYS = 30
START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
CHANNELS = {"direct": 40, "organic": 25, "paid_search": 15, "email": 10, "social": 6, "affiliate": 4}
KINDS = (
    "product_viewed",
    "product_viewed",
    "product_viewed",
    "product_viewed",
    "page_viewed",
    "product_added",
    "email_opened",
)
VISITS_AT_ONCE = 200
CONVERSION = 0.5
SHOP = "made shop: visits of 1-12 touchpoints, 66 % views, 13 % adds, 13 % opens, 8 % orders; 20,000 customers, 30 days"
ATTRIBUTES: dict[str, dict[str, str]] = {
    "brand": {"type": "text", "of": "event"},
    "material": {"type": "text", "of": "event"},
    "rating": {"type": "number", "of": "event"},
    "on_stock": {"type": "flag", "of": "event"},
    "labels": {"type": "list", "of": "event"},
    "name": {"type": "text", "of": "customer"},
    "language": {"type": "text", "of": "customer"},
    "plan": {"type": "text", "of": "customer"},
    "birthday": {"type": "date", "of": "customer"},
    "points": {"type": "number", "of": "customer"},
}
CLICKSTREAM = "REES46 hours over and over, each time other customers: 98 % views, 1 % adds, 1 % orders"


class Visit(NamedTuple):
    """A visit that goes on."""

    who: int
    id: str
    channel: str
    campaign: str | None
    left: int
    """Touchpoints to come."""


def clickstream_file() -> Path:
    """The recorded hours, among the real data; it may be absent."""
    return data_dir() / "rees46" / "2019-10-01_first_hours.csv.gz"


def clickstream(count: int) -> Iterator[Touchpoint]:
    """`count` touchpoints of the real file, again and again three hours later, with other customers each time."""
    mapped_file = map_files([clickstream_file()], load_mapping("rees46"))
    recorded = [mapped.touchpoint for mapped in mapped_file if isinstance(mapped, MappedTouchpoint)]
    for number in range(count):
        round_, place = divmod(number, len(recorded))
        event = recorded[place]
        order = event.order
        yield msgspec.structs.replace(
            event,
            event_id=f"{event.event_id}-{round_}",
            time_ms=event.time_ms + round_ * 3 * HOUR_MS,
            user_id=f"{event.user_id}-{round_}",
            order=msgspec.structs.replace(order, order_id=f"{order.order_id}-{round_}") if order else None,
        )


def touchpoints(count: int, seed: int = 1) -> Iterator[Touchpoint]:
    """`count` touchpoints in order of time; the same for the same arguments."""
    chance = random.Random(seed)
    weights = [1 / (rank + 10) ** 0.8 for rank in range(CUSTOMERS)]
    order = list(range(CUSTOMERS))
    chance.shuffle(order)
    gap_ms = DAYS * DAY_MS // count
    time_ms, number = START_MS, 0
    open_visits: list[Visit] = []
    while number < count:
        if len(open_visits) < VISITS_AT_ONCE:
            open_visits.append(_visit(chance, number, chance.choices(order, weights)[0]))
            continue
        at = chance.randrange(len(open_visits))
        visit = open_visits[at]
        time_ms += chance.randint(0, 2 * gap_ms)
        yield _touchpoint(chance, number, time_ms, visit)
        number += 1
        if visit.left == 1:
            open_visits[at] = open_visits[-1]
            open_visits.pop()
        else:
            open_visits[at] = visit._replace(left=visit.left - 1)


def with_attributes(count: int, seed: int = 1) -> Iterator[Touchpoint]:
    """`touchpoints` of a shop that names ATTRIBUTES: five properties where there are products, five traits a visit."""
    orders, visits = Counter[str](), set[str]()
    for number, event in enumerate(touchpoints(count, seed)):
        who, visit = event.user_id or "", event.session_id or ""
        orders[who] += event.type == "order_completed"
        properties = {
            "brand": f"brand-{number % 50:02}",
            "material": "stoneware",
            "rating": f"{number % 5}.5",
            "on_stock": "true",
            "labels": '["new","gift"]',
        }
        traits = {
            "name": f"Customer {who[-6:]}",
            "language": "de",
            "plan": "gold" if who.endswith("7") else "basic",
            "birthday": f"19{60 + int(who[-6:]) % 40}-03-14",
            "points": f"{orders[who] * 10}",
        }
        yield msgspec.structs.replace(
            event, properties=properties if event.products else {}, traits={} if visit in visits else traits
        )
        visits.add(visit)


def _visit(chance: random.Random, number: int, who: int) -> Visit:
    channel = chance.choices(list(CHANNELS), list(CHANNELS.values()))[0]
    campaign = None if channel == "direct" else f"campaign-{chance.randint(0, 199):04d}"
    return Visit(who, f"visit-{number:08d}-{chance.getrandbits(32):08x}", channel, campaign, chance.randint(1, 12))


def _touchpoint(chance: random.Random, number: int, time_ms: int, visit: Visit) -> Touchpoint:
    ends_in_order = visit.left == 1 and chance.random() < CONVERSION
    kind = "order_completed" if ends_in_order else chance.choice(KINDS)
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
        user_id=f"customer-{visit.who:06d}",
        session_id=visit.id,
        channel=visit.channel,
        marketing=Marketing(campaign_id=visit.campaign) if visit.campaign else None,
        order=Order(order_id=f"order-{number:010d}", currency="EUR", total_minor=total)
        if kind == "order_completed"
        else None,
        products=products,
    )
