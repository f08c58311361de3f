"""A month of some customers under flows, at random, and what a backtest of it says."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from schemas.journal import Configured
from schemas.outputs import Decision, Trigger
from streams.flows.language.files import library_documents
from streams.offline.sendings import Sendings
from tests.support.kept import KeptWorld
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint, a_view, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint

CART = library_documents("abandoned_cart")
BROWSE = library_documents("abandoned_browse")
FOR_EVER_MS = 1 << 60
CUTS = {
    "recency_ms": [5 * DAY_MS, 10 * DAY_MS, 20 * DAY_MS, 30 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}


class Heard(Sendings):
    """Keeps the messages and decisions themselves."""

    def __init__(self, from_ms: int = 0, to_ms: int = FOR_EVER_MS) -> None:
        super().__init__(from_ms, to_ms)
        self.said: list[Trigger | Decision] = []

    def take(self, outputs: Any) -> None:
        outputs = list(outputs)
        super().take(outputs)
        self.said += [each for _, each in outputs if isinstance(each, Trigger | Decision)]

    @property
    def by_customer(self) -> dict[str, list[Trigger | Decision]]:
        return by_customer(self.said)


def by_customer(said: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in said:
        found.setdefault(each.customer, []).append(each)
    return found


def a_month(seed: int, start_ms: int = START_MS) -> Iterator[Touchpoint | int]:
    """Touchpoints of customers who look, fill carts and order, on devices that turn out to be theirs; times to pass."""
    chance = Random(seed)
    now_ms = start_ms
    for number in range(150):
        now_ms += chance.choice([1_000, HOUR_MS, 9 * HOUR_MS])
        who = str(chance.randrange(4))
        on_device = {"anonymous_id": f"phone-{who}"}
        fields: dict[str, Any] = {"event_id": f"e{start_ms}-{number}", **(on_device if chance.random() < 0.4 else {})}
        user = None if fields.get("anonymous_id") and chance.random() < 0.6 else who
        kind = chance.choice(["product_viewed", "product_added", "product_added", "order_completed", "signed_up"])
        if kind == "order_completed":
            yield an_order(now_ms, 1_000 * chance.randrange(1, 30), user, order_id=f"o{start_ms}-{number}", **fields)
        elif kind == "product_added":
            yield an_add(now_ms, user=user, **fields)
        elif kind == "product_viewed":
            yield a_view(now_ms, user, **fields)
        else:
            yield a_touchpoint(kind, now_ms, user, **fields)
        if chance.random() < 0.4:
            yield now_ms
    yield now_ms + 30 * DAY_MS


def lived(seed: int, flows: Any, *, change: tuple[int, Any] | None = None) -> KeptWorld:
    """A month under these flows; from a time on, where one is given, under others."""
    world = KeptWorld(flows=flows, cuts_fixed=CUTS)
    happen(world, seed, change)
    return world


def happen(world: KeptWorld, seed: int, change: tuple[int, Any] | None = None, start_ms: int = START_MS) -> None:
    for happens in a_month(seed, start_ms):
        at_ms = happens if isinstance(happens, int) else happens.time_ms
        if change is not None and at_ms >= change[0]:
            world.append("", Configured(world.settings.model_copy(update={"flows": change[1]}).model_dump_json(), 0))
            change = None
        if isinstance(happens, int):
            world.pass_time(happens)
        else:
            world.send(happens)
