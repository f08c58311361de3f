"""Whatever bytes come: a touchpoint, a mark, or a reason why not; and what got through folds."""

from __future__ import annotations

import copy
import json
import os
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schemas.journal import Wake
from schemas.outputs import DeadLetter
from schemas.touchpoint import Consent, Mark, Marketing, Message, Order, Product, Spend, Touchpoint
from schemas.wire import SINGLE_OBJECT, WireError
from streams.collect.checks import TYPES
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.flows.language.files import library_documents
from streams.fold.moment import Rejected
from streams.shop.generator import Shop, ShopParameters
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.acceptance

ROUNDS = 6_000
TEXTS = (
    "",
    " ",
    "\x00",
    "u:1",
    "a" * 513,
    "é" * 300,
    "👩‍👩‍👧",
    "someone@example.org",
    "Ω\u202e",
    "NaN",
    "-1",
    "1e400",
    "Infinity",
    "0" * 64,
    "EUR",
    "eur",
    "€€€",
    "all",
    "email",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "2026-01-01",
)
NUMBERS = (0, -1, 1, 10**15, 10**15 + 1, 2**31, 2**62, 2**63 - 1, -(2**63), START_MS, START_MS - 400 * DAY_MS)
ODDITIES: tuple[Any, ...] = (None, True, 0, -1, 1.5, 1e308, "", "x", [], [1], [[]], {}, {"a": {}}, [None], *TEXTS[9:])


def good() -> list[Touchpoint]:
    shop = Shop(ShopParameters(seed=3, days=2, orders_per_hour=4, customers=60, outages=()))
    return list(shop.touchpoints())


def flipped(random: Random, value: bytes) -> bytes:
    damaged = bytearray(value)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut(random: Random, value: bytes) -> bytes:
    return value[: random.randrange(len(value))]


def spliced(random: Random, value: bytes) -> bytes:
    at, to = sorted((random.randrange(len(value)), random.randrange(len(value))))
    return value[:at] + random.randbytes(random.randint(0, 12)) + value[to:]


def reworded(random: Random, event: Touchpoint) -> bytes:
    """Right Avro, of fields that make no sense."""

    def text() -> str:
        return random.choice(TEXTS)

    def number() -> int:
        return random.choice(NUMBERS)

    order = Order(text(), random.choice(("EUR", "USD", text())), number(), random.choice((0, number())))
    products = tuple(Product(sku=text(), price_minor=number(), quantity=number()) for _ in range(random.randint(0, 3)))
    changes: dict[str, Callable[[], Any]] = {
        "event_id": text,
        "type": lambda: random.choice((*TYPES, text())),
        "time_ms": number,
        "user_id": lambda: random.choice((None, text())),
        "anonymous_id": lambda: random.choice((None, text())),
        "email_hash": lambda: random.choice((None, text())),
        "session_id": text,
        "channel": lambda: random.choice((None, text())),
        "marketing": lambda: Marketing(*(random.choice((None, text())) for _ in range(7))),
        "message": lambda: Message(text(), text(), number() % 2**31, text()),
        "order": lambda: random.choice((None, order)),
        "spend": lambda: random.choice((None, Spend(text(), number()))),
        "consent": lambda: random.choice((None, Consent(text(), random.random() < 0.5))),
        "products": lambda: products,
        "country": text,
        "time_zone": text,
        "properties": lambda: {text(): text() for _ in range(random.choice((1, 3, 200)))},
    }
    chosen = random.sample(sorted(changes), random.randint(1, 5))
    return SINGLE_OBJECT.encode(msgspec.structs.replace(event, **{name: changes[name]() for name in chosen}))


def a_call(random: Random, event: Touchpoint) -> dict[str, Any]:
    names = ("Order Completed", "Product Added", "Consent Changed", "Order Refunded", "Email Opened", "Nothing Known")
    return {
        "type": random.choice(("track", "track", "track", "page", "identify", "alias")),
        "event": random.choice(names),
        "messageId": event.event_id,
        "timestamp": "2026-01-01T10:00:00.000Z",
        "userId": event.user_id,
        "anonymousId": event.anonymous_id or "device",
        "context": {"campaign": {"name": "x", "medium": "email"}, "traits": {"email": "a@example.org"}},
        "properties": {
            "order_id": "o1",
            "total": 12.5,
            "currency": "EUR",
            "channel": "email",
            "granted": True,
            "discount": 1,
            "products": [{"sku": "mug", "price": 4.2, "quantity": 2}],
        },
    }


def misused(random: Random, event: Touchpoint) -> bytes:
    """A Segment call with fields of wrong types, or without them."""
    call = a_call(random, event)
    for _ in range(random.randint(1, 3)):
        holder: Any = call
        while True:
            name = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
            inner = holder[name]
            if isinstance(inner, dict | list) and inner and random.random() < 0.7:
                holder = inner
                continue
            if random.random() < 0.2 and isinstance(holder, dict) and len(holder) > 1:
                del holder[name]
            else:
                holder[name] = copy.deepcopy(random.choice(ODDITIES))
            break
    return json.dumps(call, ensure_ascii=random.random() < 0.5).encode()


def mutated(random: Random, event: Touchpoint) -> bytes:
    value = SINGLE_OBJECT.encode(event)
    other = SINGLE_OBJECT.encode(random.choice((Mark(random.choice(NUMBERS)), Wake(1))))
    call = json.dumps(a_call(random, event)).encode()
    whole = random.choice((value, value, other, call, b"\x00\x00\x00\x00\x07" + value[10:], random.randbytes(40)))
    kind = random.randrange(8)
    if kind == 0:
        return whole
    if kind == 1:
        return cut(random, whole)
    if kind == 2:
        return spliced(random, whole)
    if kind == 3:
        return flipped(random, whole)
    if kind in {4, 5}:
        return misused(random, event)
    return reworded(random, event)


@pytest.mark.parametrize("clock", ["marks", "wall"])
def test_no_bytes_raise_anything_but_a_reason(clock: str) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "0")) or Random().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    random, events = Random(seed), good()
    world = World(clock=clock, flows=library_documents())
    reasons: set[str] = set()
    folded = 0
    for number in range(ROUNDS):
        value = mutated(random, random.choice(events))
        now_ms = START_MS + number * HOUR_MS // 20
        try:
            found = collect(value, now_ms, SINGLE_OBJECT, world.settings)
            if isinstance(found, Collected):
                event = SINGLE_OBJECT.decode_as(Touchpoint, found.value)
                world.append(found.key.decode(), event, found.received_ms)
                folded += 1
        except (RefusedRecord, Rejected, WireError) as refused:
            reasons.add(refused.reason)
        except Exception as error:
            error.add_note(f"seed {seed}, round {number}, value {value!r}")
            raise
        if number % 500 == 0:
            world.pass_time(now_ms)
            world.commit()
    world.pass_time(START_MS + 400 * DAY_MS)
    assert world.emitted(DeadLetter) == [], f"seed {seed}: a timer failed"
    assert folded > ROUNDS // 10
    assert {
        "malformed",
        "not_avro",
        "unknown_schema",
        "unknown_type",
        "time_out_of_range",
        "amount_out_of_range",
        "no_customer",
        "unexpected_type",
        "no_event_id",
        "bad_currency",
    } <= reasons
