"""A small shop's touchpoints and marks, drawn from a seed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import yaml
from msgspec.structs import replace

from schemas.journal import RULES, Configured
from schemas.touchpoint import Consent, Mark, Marketing, Order, Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.servers.places import PROJECT
from streams.settings import DomainSettings
from tests.simulation.model_producer import partition_of
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

TOUCHPOINT_PARTITIONS = JOURNAL_PARTITIONS = 2
SENT_OVER_S = 1.5
_LAST_MARK_MS = (*(HOUR_MS, 3 * HOUR_MS, DAY_MS) * 3, 8 * DAY_MS)
"""How long time runs on after the last touchpoint; eight days include a Monday, and the end of those not seen again."""
_LAGS_MS = (0, 0, HOUR_MS, 7 * HOUR_MS)
"""How far the time of the last partition of touchpoints is behind that of the others."""


@cache
def configuration(clock: Clock = "marks") -> bytes:
    return SINGLE_OBJECT.encode(Configured(domain(clock).model_dump_json(), 0, RULES))


Clock = Literal["marks", "wall"]


class Sent(NamedTuple):
    """A record of touchpoints: when it is sent, in seconds of the simulation, and where to."""

    at_s: float
    partition: int
    key: bytes | None
    value: bytes


@cache
def domain(clock: Clock = "marks") -> DomainSettings:
    flow = yaml.safe_load((PROJECT / "streams/flows/library/abandoned_cart.yaml").read_text("utf-8"))
    return DomainSettings(
        clock=clock,
        touchpoint_partitions=TOUCHPOINT_PARTITIONS,
        journal_partitions=JOURNAL_PARTITIONS,
        consent_default="granted",
        panel_rows_min=10,
        flows=(flow,),
    )


def last_marks(sent: Iterable[Sent]) -> dict[int, int]:
    """Give, by partition of touchpoints, to where time comes in the end, in ms."""
    head = SINGLE_OBJECT.header(Mark)
    return {
        each.partition: SINGLE_OBJECT.decode_as(Mark, each.value).time_ms
        for each in sent
        if each.value.startswith(head)
    }


class Shop:
    """Draws one history. `devices` adds devices that turn out to be users', and addresses: what crosses partitions.

    `late` has some touchpoints come hours after their time.
    """

    def __init__(self, chance: Random, *, devices: bool, late: bool) -> None:
        self._chance = chance
        self._devices = devices
        self._late = late
        self._users = [f"user-{number}" for number in range(chance.randint(2, 5))]
        self._lag_ms = chance.choice(_LAGS_MS)
        self._orders: list[tuple[str | None, str, int]] = []
        self._number = 0

    def history(self, count: int) -> list[Sent]:
        """Give `count` touchpoints with marks between them, repeats, late ones and rubbish; then a last mark."""
        chance, at_ms = self._chance, START_MS + chance_hours(self._chance, 72)
        sent: list[Sent] = []
        values: list[tuple[bytes | None, bytes]] = []
        for number in range(count):
            at_s = SENT_OVER_S * number / count
            at_ms += chance.choice((1, MINUTE_MS, 20 * MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS))
            kind = chance.random()
            if kind < 0.06 and values:
                key, value = chance.choice(values)
            elif kind < 0.08:
                key, value = b"rubbish", chance.randbytes(8)
            else:
                late_ms = HOUR_MS * chance.randint(1, 30) if self._late and kind > 0.9 else 0
                event = self._event(at_ms - late_ms)
                key = key_of(event)
                if partition_of(key, TOUCHPOINT_PARTITIONS) == TOUCHPOINT_PARTITIONS - 1:
                    event = replace(event, time_ms=event.time_ms - self._lag_ms)
                value = SINGLE_OBJECT.encode(event)
                values.append((key, value))
            sent.append(Sent(at_s, partition_of(key or b"", TOUCHPOINT_PARTITIONS), key, value))
            if chance.random() < 0.3:
                sent += marks(at_s, at_ms, self._lag_ms)
        return sent + marks(SENT_OVER_S, at_ms + chance.choice(_LAST_MARK_MS))

    def _event(self, at_ms: int) -> Touchpoint:
        chance = self._chance
        self._number += 1
        kind = chance.choice(
            (
                "product_viewed",
                "product_added",
                "product_added",
                "order_completed",
                "order_completed",
                "order_refunded",
                "ad_clicked",
                "email_clicked",
                "consent_changed",
                "page_viewed",
            )
        )
        who = self._who()
        fields: dict[str, Any] = {**who, **self._what(kind, who.get("user_id"))}
        if kind == "order_refunded":
            if not self._orders:
                kind = "page_viewed"
            else:
                user, order_id, total_minor = chance.choice(self._orders)
                refund_minor = chance.randint(1, total_minor)
                fields = {"user_id": user, "order": Order(order_id=order_id, currency="EUR", total_minor=refund_minor)}
        return Touchpoint(event_id=f"event-{self._number}", type=kind, time_ms=at_ms, **fields)

    def _what(self, kind: str, user: str | None) -> dict[str, Any]:
        chance = self._chance
        if kind == "product_added":
            return {"products": (Product(sku=chance.choice("abc"), price_minor=900, quantity=1),)}
        if kind == "order_completed":
            total_minor = chance.randint(100, 9_000)
            self._orders.append((user, f"order-{self._number}", total_minor))
            return {"order": Order(order_id=f"order-{self._number}", currency="EUR", total_minor=total_minor)}
        if kind == "consent_changed":
            return {"consent": Consent(channel=chance.choice(("email", "all")), granted=chance.random() < 0.6)}
        if kind in {"ad_clicked", "email_clicked"}:
            channel = "email" if kind == "email_clicked" else chance.choice(("google_ads", "facebook"))
            return {"channel": channel, "marketing": Marketing(campaign_id=chance.choice("xy"))}
        return {}

    def _who(self) -> dict[str, Any]:
        chance = self._chance
        user = chance.choice(self._users)
        if not self._devices:
            return {"user_id": user}
        session = {"session_id": f"visit-{chance.randint(1, 9)}"} if chance.random() < 0.5 else {}
        who = chance.random()
        if who < 0.3:
            return {"anonymous_id": f"device-{chance.randint(1, 3)}", **session}
        if who < 0.5:
            return {"user_id": user, "anonymous_id": f"device-{chance.randint(1, 3)}", **session}
        if who < 0.65:
            return {"user_id": user, "email_hash": f"{chance.randint(1, 2):064x}"}
        return {"user_id": user, **session}


def marks(at_s: float, time_ms: int, lag_ms: int = 0) -> list[Sent]:
    """Mark the time in every partition; the last one is behind by `lag_ms`."""
    times_ms = [time_ms] * (TOUCHPOINT_PARTITIONS - 1) + [time_ms - lag_ms]
    return [Sent(at_s, number, None, SINGLE_OBJECT.encode(Mark(each_ms))) for number, each_ms in enumerate(times_ms)]


def chance_hours(chance: Random, hours_max: int) -> int:
    return chance.randrange(hours_max) * HOUR_MS
