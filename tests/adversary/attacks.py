"""What a hostile or careless producer sends: each attack is one customer's way, with values at the door's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.limits import LINES_KEPT
from schemas.touchpoint import Consent, Order, Product, Spend, Touchpoint
from schemas.units import DAY_MS
from streams.collect.checks import TYPES
from tests.adversary import door

if TYPE_CHECKING:
    from random import Random

TEXTS = (
    "channel",
    "country",
    "source",
    "time_zone",
    "session_id",
    "marketing.campaign_id",
    "marketing.click_id",
    "marketing.utm_source",
    "marketing.utm_medium",
    "marketing.utm_campaign",
    "marketing.utm_content",
    "marketing.utm_term",
    "message.message_id",
    "message.flow_id",
    "message.arm",
    "order.coupon",
)
CURRENCIES = ("EUR", "USD", "JPY", "KWD", "XXX")
LATE_DAYS = (0, 0, 0, 1, 20, 89, 179, 400, 4_000)
CUSTOMERS = 24
DEVICES = 60
SKUS = 400

HALF = 0.5
FILLERS = (door.WIDE, door.WIDE, door.WIDE, "a", ".", "@", "%", ",", "=", "|", "\N{LATIN SMALL LETTER E WITH ACUTE}")
"""Mostly the widest; else letters, and what separates parts of addresses and keys."""

_replace = msgspec.structs.replace


class Attacker:
    """One customer of many, whom the attacker knows well; every choice comes from the generator given."""

    def __init__(self, random: Random, number: int) -> None:
        self._random = random
        self._number = number
        self._count = 0
        self._orders: list[str] = []

    def next(self, kind: str, now_ms: int) -> Touchpoint:
        """Return the next touchpoint of a type, at about now_ms."""
        random = self._random
        self._count += 1
        event = Touchpoint(
            event_id=f"{self._number}-{self._count}-{random.getrandbits(60)}",
            type=kind,
            time_ms=max(now_ms - random.choice(LATE_DAYS) * DAY_MS - random.randrange(10_000), 700_000_000_000),
            user_id=self._wide("user_id", self._number) if random.random() < 0.9 else None,
            anonymous_id=self._wide("anonymous_id", random.randrange(DEVICES)) if random.random() < HALF else None,
            email_hash=f"{random.randrange(DEVICES):064x}" if random.random() < 0.2 else None,
        )
        if event.user_id is None and event.anonymous_id is None and event.email_hash is None:
            event = _replace(event, anonymous_id="1")
        for path in TEXTS:
            if random.random() < 0.7:
                event = door.with_text(event, path, self._wide(path, random.randrange(1_000)))
        return self._with_parts(event)

    def _wide(self, path: str, number: int) -> str:
        """Return a text as long as the door lets it be, another one for each number."""
        mark, filler = f"{number:04}", self._random.choice(FILLERS)
        # a character of the mark takes one byte at most for each that the filler takes
        room = door.longest(path, filler) - len(mark)
        return mark + filler * room if room >= 0 else mark[: door.longest(path, "0")]

    def _with_parts(self, event: Touchpoint) -> Touchpoint:
        random = self._random
        kind = event.type
        if kind.startswith(("order_", "checkout")):
            event = _replace(event, order=self._order(event, kind))
        if kind.startswith(("order_", "product_", "checkout")):
            lines = random.choice((1, 3, 50, door.most_lines()))
            # lines beyond those that are kept are only counted
            made = [self._line() for _ in range(min(lines, LINES_KEPT + 1))]
            event = door.with_lines(event, (made * (lines // len(made) + 1))[:lines])
        if kind == "consent_changed":
            event = _replace(
                event, consent=Consent(random.choice(("email", "sms", "push", "all")), random.random() < HALF)
            )
        if kind == "spend_recorded":
            event = _replace(event, spend=Spend(random.choice(CURRENCIES), door.largest_amount()))
        if random.random() < 0.1:
            text = door.WIDE * door.longest_property()
            names = random.choice((1, door.most_properties()))
            event = _replace(event, properties={f"p{number}": text if number == 0 else "" for number in range(names)})
        return event

    def _order(self, event: Touchpoint, kind: str) -> Order:
        random = self._random
        if kind == "order_completed" or not self._orders:
            self._orders.append(self._wide("order.order_id", random.randrange(10_000)))
        order_id = self._orders[-1] if kind == "order_completed" else random.choice(self._orders)
        minor = random.choice((0, 1, door.largest_amount()))
        order = event.order or Order("", "EUR", 0)
        return _replace(order, order_id=order_id, currency=random.choice(CURRENCIES), total_minor=minor)

    def _line(self) -> Product:
        random = self._random
        sku = self._wide("products.sku", random.randrange(SKUS))
        category = self._wide("products.category", random.randrange(SKUS)) if random.random() < HALF else None
        return Product(sku, random.choice((0, door.largest_amount())), door.largest_quantity(), category)


class Attack:
    """Records without end: mixes of types that have cost much are sent more often."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._kinds = sorted(TYPES)
        self._weights = dict.fromkeys(self._kinds, 1.0)
        self._attackers = [Attacker(random, number) for number in range(CUSTOMERS)]

    def next(self, now_ms: int) -> Touchpoint:
        """Return the next touchpoint."""
        random = self._random
        kind = random.choices(self._kinds, [self._weights[kind] for kind in self._kinds])[0]
        # a few customers get most of it, so that their profiles grow to their bounds
        number = min(int(random.expovariate(0.4)), CUSTOMERS - 1)
        return self._attackers[number].next(kind, now_ms)

    def learn(self, kind: str, output_bytes: int) -> None:
        """Send a type more often the more it made the fold send; a measure of time would not repeat by a seed."""
        self._weights[kind] = 0.98 * self._weights[kind] + 0.02 * (1.0 + min(output_bytes, 200_000) / 10_000)
