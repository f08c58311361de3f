"""An order id counts once in its shop, under whichever keys, from whichever sources and in whatever order it comes in.

In each history the orders of two shops, with refunds and cancellations, come in under users, devices and as guests'
with and without an address. A device logs in at some time, or never, and so the two users turn out to be one. Records
wait in the logs of several partitions, which are read at random. In the end each order counts in one profile only, and
facts, profiles and ledger are those of a calm batch: who owns an order is known there, and everything of it comes in
under that key and in order of time.

At a kiosk people log in and out, and nobody can say who its orders belong to in the end; they still count once.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec.structs import replace

from schemas.journal import OrderOwned, OrderTold
from schemas.touchpoint import PREVIOUS_ID, Marketing, Order, Touchpoint
from schemas.wire import decode, encode
from streams.collect.keys import key_of
from streams.fold.record import AGAIN, Record
from streams.profiles.effects import hash_64
from streams.profiles.orders import window_sums
from tests.support.interleaved import Interleaved
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.acceptance

END_MS = START_MS + 20 * DAY_MS
"""By then all has happened; all of it comes in later."""
PARTITIONS = 4
PHONE, KIOSK = "a:phone", "a:kiosk"
CUSTOMERS = ("u:1", "u:2", PHONE, KIOSK)
USERS = ("u:1", "u:2", "u:3")
FACTS = {"orders", "revenue_minor", "refunds", "refunds_minor", "new_customers", "guest_orders", "credited_minor"}
SOURCES = {"": ("web", "api"), "berlin": ("till", "till-api")}
SETTINGS: dict[str, Any] = {
    "shops": {"till": "berlin", "till-api": "berlin"},
    "server_sources": ("api", "till-api"),
}
KINDS = ("order_completed", "order_completed", "order_refunded", "order_cancelled")


class History(NamedTuple):
    """What happened, and when the phone's owner logged in and the users were merged: before so many records."""

    clicks: tuple[Touchpoint, ...]
    orders: dict[tuple[str, str], tuple[Touchpoint, ...]]
    """By (shop, order id), in order of time."""
    login: int | None
    merge: int | None

    @property
    def events(self) -> tuple[Touchpoint, ...]:
        return (*self.clicks, *(event for events in self.orders.values() for event in events))


def a_history(random: Random) -> History:
    clicks = tuple([_a_click(random, number) for number in range(random.randrange(6))])
    ids = [(shop, order_id) for shop in SOURCES for order_id in ("o1", "o2")]
    orders = {key: _an_order(random, *key) for key in random.sample(ids, random.randrange(1, 4))}
    count = len(clicks) + sum([len(events) for events in orders.values()])
    login, merge = (random.choice((None, random.randrange(count + 1))) for _ in range(2))
    return History(clicks, orders, login, merge)


def _a_click(random: Random, number: int) -> Touchpoint:
    clicked, channel = Marketing(campaign_id=None), random.choice(("ads", "search"))
    time_ms = START_MS + random.randrange(19 * 24) * HOUR_MS
    event = Touchpoint(f"click {number}", "ad_clicked", time_ms, channel=channel, marketing=clicked)
    return of_key(event, random.choice(CUSTOMERS))


def _an_order(random: Random, shop: str, order_id: str) -> tuple[Touchpoint, ...]:
    """At least one completion, and what else came in of it; ids of two sources may be the same."""
    total_minor, currency = random.choice((0, 2_000, 5_000)), random.choice(("EUR", "EUR", "USD"))
    kinds = ["order_completed", *random.choices(KINDS, k=random.choice((0, 1, 1, 2, 3, 4)))]
    numbers = {source: random.sample(range(20), len(kinds)) for source in SOURCES[shop]}
    events = []
    for place, kind in enumerate(kinds):
        source = random.choice(SOURCES[shop])
        minor = random.choice((500, 1_500, total_minor)) if kind == "order_refunded" else total_minor
        if source not in SETTINGS["server_sources"]:
            minor += random.choice((0, 100))
        event = Touchpoint(
            f"{shop} {order_id} {numbers[source][place]}",
            kind,
            START_MS + random.randrange(18 * 24) * HOUR_MS,
            source=source,
            email_hash=random.choice((None, None, "ab" * 32)),
            order=Order(order_id, currency, minor),
        )
        events.append(of_key(event, random.choice((*CUSTOMERS, "o:"))))
    return tuple(sorted(events, key=lambda event: event.time_ms))


def of_key(event: Touchpoint, key: str) -> Touchpoint:
    """The event as it comes in under a key."""
    kind, name = key[:2], key[2:]
    return replace(event, user_id=name if kind == "u:" else None, anonymous_id=name if kind == "a:" else None)


def key_after(event: Touchpoint, history: History) -> str:
    """Under which key the event is in the end."""
    key = (key_of(event) or b"").decode()
    if (key == PHONE and history.login is not None) or (key == "u:2" and history.merge is not None):
        return "u:1"
    return key


def owner_of(history: History, events: Iterable[Touchpoint]) -> str:
    """The owner by the rule: user, address, device; then the server; then the smallest event id."""

    def rank(event: Touchpoint) -> tuple[int, bool, str, str]:
        key = key_after(event, history)
        named = 0 if key.startswith("u:") else 1 if event.email_hash else 2 if key.startswith("a:") else 3
        return named, event.source not in SETTINGS["server_sources"], event.event_id, key

    completions = [event for event in events if event.type == "order_completed"]
    return min(map(rank, completions))[3]


class Logs:
    """A shop whose journal partitions are read at random; each is in order."""

    def __init__(self, random: Random) -> None:
        self.world = World(**SETTINGS)
        self.told = 0
        self._random = random
        self._logs: list[deque[Record]] = [deque() for _ in range(PARTITIONS)]
        self._partition_of: dict[str, int] = {}

    def send(self, event: Touchpoint, received_ms: int) -> None:
        key = (key_of(event) or b"").decode()
        self._append(Record(key, event, encode(event), received_ms, 0))

    def _append(self, record: Record) -> None:
        place = self._partition_of.setdefault(record.key, self._random.randrange(PARTITIONS))
        self._logs[place].append(record)

    def read(self, records: int) -> None:
        """Fold some records, each the next of a partition that has one."""
        for _ in range(records):
            waiting = [log for log in self._logs if log]
            if not waiting:
                return
            self._fold(self._random.choice(waiting).popleft())

    def _fold(self, record: Record) -> None:
        effects = self.world.fold(record)
        self.world.outputs += effects.outputs
        self.world.counts.update(effects.counts)
        for key, appended, headers in effects.journal:
            named = dict(headers)
            raw = appended if isinstance(appended, bytes) else encode(appended)
            received_ms = int.from_bytes(named.get("received_at_ms", b""), "big")
            value, hops = decode(raw), named.get("hops", b"\x00")[0]
            self.told += isinstance(value, (OrderTold, OrderOwned))
            self._append(Record(key or "", value, raw, received_ms, hops, is_again=AGAIN in named))


def lived(history: History, random: Random) -> Logs:
    """All comes in in some order, a minute each."""
    logs, events = Logs(random), list(history.events)
    random.shuffle(events)
    if history.login is not None:
        login = Touchpoint("login", "page_viewed", END_MS, user_id="1", anonymous_id="phone")
        events.insert(history.login, login)
    if history.merge is not None:
        user, previous = random.sample(("1", "2"), 2)
        merge = Touchpoint("merge", "identity_linked", END_MS, user_id=user, properties={PREVIOUS_ID: previous})
        events.insert(history.merge, merge)
        # only ids that are known as users are merged
        for known in ("1", "2"):
            event = Touchpoint(f"known {known}", "page_viewed", END_MS, user_id=known)
            events.insert(random.randrange(len(events) + 1), event)
    for number, event in enumerate(events):
        logs.send(event, END_MS + number * MINUTE_MS)
        logs.read(random.choice((0, 1, 3, 10)))
    logs.read(10_000)
    return logs


def calm(history: History) -> World:
    """Everything of an order comes in under its owner's key, in order of time."""
    world = World(**SETTINGS)
    for number, event in enumerate(history.clicks):
        world.send(of_key(event, key_after(event, history)), received_ms=END_MS + number * MINUTE_MS)
    for events in history.orders.values():
        owner = owner_of(history, events)
        for event in events:
            world.send(of_key(event, owner), received_ms=END_MS)
    return world


def end_of(world: World, history: History) -> dict[str, Any]:
    """What the shop has in the end."""
    found: dict[str, Any] = {
        "facts": {key: value for key, value in world.counts.items() if key[0] in FACTS and value},
        "credit": world.credit("order_id", "model", "channel", "touch_id", "currency"),
    }
    for key in (*CUSTOMERS, "o:o1", "o:o2"):
        profile = world.profile(key)
        if profile is not None and (profile.orders or profile.changes):
            sums = window_sums(profile, END_MS, 730 * DAY_MS)
            found[key] = profile.orders, profile.changes, sums
    counted = [order.id_hash for key in found if ":" in key for order in found[key][0]]
    assert len(counted) == len(set(counted)) == len(history.orders)
    return found


def _assert_one_owner(seed: int, count: int) -> None:
    for number in range(count):
        random = Random(f"{seed} {number}")
        history = a_history(random)
        logs = lived(history, random)
        assert end_of(logs.world, history) == end_of(calm(history), history), f"history {number} of seed {seed}"


def test_an_order_has_one_owner_and_counts_once(seed: int) -> None:
    _assert_one_owner(seed, 200)


@pytest.mark.slow
def test_thousands_of_orders_have_one_owner_and_count_once(seed: int) -> None:
    _assert_one_owner(seed, 2_000)


def visits(random: Random) -> list[Touchpoint]:
    """People who log in and out at one kiosk and turn out to be one, and orders of which something is always left."""
    events = []
    for number in range(random.randrange(6, 25)):
        kind = random.choice((*KINDS[:3], "page_viewed", "identity_unlinked", "identity_linked"))
        event = Touchpoint(f"e{number}", kind, START_MS + number * HOUR_MS)
        if kind.startswith("order"):
            order = Order(f"o{random.randrange(3)}", "EUR", 1_000 if kind == "order_completed" else 40)
            event = of_key(replace(event, order=order), random.choice((*USERS, "o:", KIOSK, KIOSK, KIOSK)))
        elif kind == "identity_linked":
            user, previous = random.sample(("1", "2", "3"), 2)
            event = replace(event, user_id=user, properties={PREVIOUS_ID: previous})
        else:
            nobody = (None,) if kind == "identity_unlinked" else ()
            who = random.choice((*nobody, "1", "2", "3"))
            event = replace(event, user_id=who, anonymous_id="kiosk", session_id=f"s{number}")
        events.append(event)
    return events


def _assert_counted_once(seed: int, count: int) -> None:
    for number in range(count):
        random = Random(f"{seed} {number}")
        events = visits(random)
        lived = Interleaved(random, **SETTINGS)
        lived.send(*events)
        lived.fold()
        assert not lived.dead_letters
        found = [lived.world.profile(key) for key in (*USERS, KIOSK, "o:o0", "o:o1", "o:o2")]
        held = [order for profile in found if profile for order in profile.orders]
        wanted = {event.order.order_id for event in events if event.order and event.type == "order_completed"}
        assert sorted([each.id_hash for each in held]) == sorted(map(hash_64, wanted)), (
            f"visits {number} of seed {seed}"
        )
        assert lived.world.total("orders") == len(wanted)
        credit = {
            hash_64(order_id): minor for (order_id,), minor in lived.world.credit("order_id", model="last").items()
        }
        assert [credit.get(each.id_hash, 0) for each in held] == [
            each.total_minor - each.refunded_minor for each in held
        ]


def test_an_order_that_several_people_report_at_one_device_counts_once(seed: int) -> None:
    _assert_counted_once(seed, 200)


@pytest.mark.slow
def test_orders_of_thousands_of_people_at_one_device_count_once(seed: int) -> None:
    _assert_counted_once(seed, 3_000)
