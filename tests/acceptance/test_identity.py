"""Who is who is said in any order, and the same customers come out, with each order counted once.

Where links come in any order, every key has a partition of its own, and records of different keys come in by chance. So
links, what is handed over and what is forwarded overtake each other, as between the partitions of a real journal.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from schemas.outputs import ProfileMerged, ProfileView
from schemas.touchpoint import PREVIOUS_ID, Consent, Marketing, Order, Product, Touchpoint
from streams.profiles.effects import hash_64
from streams.profiles.joins import USERS_OF_A_PERSON_MAX, kept_room, users_of, waiting
from streams.profiles.orders import window_sums
from streams.profiles.view import view
from tests.support.flow_sets import CUTS
from tests.support.flows import a_flow
from tests.support.interleaved import Interleaved
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterable


pytestmark = pytest.mark.acceptance

KINDS = (*("order_completed",) * 3, "order_refunded", "ad_clicked", "product_added", "consent_changed")
USERS = ("1", "2", "3", "4", "5")
END_MS = START_MS + 20 * DAY_MS
FLOWS = (a_flow(wait={"for": "60d", "restarts": True}),)
SETTINGS: dict[str, Any] = {"flows": FLOWS, "cuts_fixed": CUTS, "entry_age_max_ms": 400 * DAY_MS}
FACTS = {"orders", "revenue_minor", "refunds", "refunds_minor", "new_customers", "credited_minor"}
STOCKS = {"customers_known", "customers_ordered", "customers"}


TABLET = "tablet"


class History(NamedTuple):
    """What people did under several ids, in order of time, and the pairs of ids that are one person."""

    events: tuple[Touchpoint, ...]
    pairs: tuple[tuple[str, str], ...]

    @property
    def survivors(self) -> dict[str, str]:
        """By user id the least id of the same person."""
        found = {user: user for user in USERS}
        for one, other in self.pairs:
            both = {found[one], found[other]}
            found = {user: min(both) if survivor in both else survivor for user, survivor in found.items()}
        return found


def a_history(random: Random, *, is_echoed: bool) -> History:
    """With echoes several ids have one order, and a profile cannot know that its order only repeats another's."""
    users = USERS[: random.randrange(3, 6)]
    times = sorted(random.randrange(19 * 24) * HOUR_MS for _ in range(random.randrange(6, 22)))
    events = []
    for number, at_ms in enumerate(times):
        user = random.choice(users)
        orders = "o" if is_echoed else f"o{user} "
        events.append(_an_event(random, f"e{number}", START_MS + at_ms, orders, user_id=user))
    pairs = [(random.choice(users), random.choice(users)) for _ in range(random.randrange(1, 7))]
    return History(tuple(events), tuple(pairs))


def _an_event(random: Random, event_id: str, time_ms: int, orders: str, **fields: Any) -> Touchpoint:
    """Few orders and visits, so that some are of several ids."""
    fields.setdefault("session_id", f"s{random.randrange(6)}")
    kind = random.choice(KINDS)
    if kind.startswith("order"):
        order_id = f"{orders}{random.randrange(8)}"
        minor = 1_000 * (1 + sum(order_id.encode()) % 5)
        fields["order"] = Order(order_id, "EUR", minor if kind == "order_completed" else minor // 2)
        fields["products"] = (Product("mug", 900, 1),)
    elif kind == "ad_clicked":
        fields |= {"channel": random.choice(("ads", "search")), "marketing": Marketing(campaign_id="spring")}
    elif kind == "product_added":
        fields["products"] = (Product(random.choice(("mug", "cup", "tea")), random.choice((700, 900)), 1),)
    else:
        fields["consent"] = Consent(random.choice(("sms", "push", "email")), granted=random.random() < 0.5)
    return Touchpoint(event_id, kind, time_ms, **fields)


def said(pairs: Iterable[tuple[str, str]], random: Random) -> list[Touchpoint]:
    """The links, in any order, asked for by either id."""
    links = [random.sample(pair, 2) for pair in pairs]
    random.shuffle(links)
    return [
        Touchpoint(
            f"link {number}",
            "identity_linked",
            START_MS + random.randrange(19 * 24) * HOUR_MS,
            user_id=one,
            properties={PREVIOUS_ID: other},
        )
        for number, (one, other) in enumerate(links)
    ]


def interleaved(history: History, random: Random) -> Interleaved:
    """All that happened, when all has come in; of each id in order of time, but for the links."""
    lived = Interleaved(random, **SETTINGS)
    events = list(history.events)
    for link in said(history.pairs, random):
        events.insert(random.randrange(len(events) + 1), link)
    lived.send(*events)
    lived.fold()
    assert not lived.dead_letters
    for user in USERS:
        lived.send(Touchpoint(f"last {user}", "page_viewed", END_MS, user_id=user))
    lived.fold()
    return lived


def calm(history: History) -> World:
    """The same of people who always had one id."""
    world, survivors = World(**SETTINGS), history.survivors
    for event in history.events:
        world.send(_under(event, survivors[event.user_id or ""]))
    for user in USERS:
        world.send(Touchpoint(f"last {user}", "page_viewed", END_MS, user_id=survivors[user]))
    return world


def _under(event: Touchpoint, user: str) -> Touchpoint:
    return Touchpoint(**{name: getattr(event, name) for name in event.__struct_fields__} | {"user_id": user})


def sums_of(world: World, users: Iterable[str]) -> dict[str, Any]:
    """By user what they are to the shop: orders and sums, segment, touches, consents, carts and candidates."""
    return {user: _sums_of(world, f"u:{user}") for user in users}


def _sums_of(world: World, key: str) -> dict[str, Any]:
    profile = world.profile(key)
    assert profile is not None
    shown = view(key, profile)
    hidden = {"scored_ms", "devices"}
    return {
        "shown": {name: getattr(shown, name) for name in shown.__struct_fields__ if name not in hidden},
        "orders": profile.orders,
        "changes": profile.changes,
        "sums": window_sums(profile, profile.clock_ms, 730 * DAY_MS),
        "touches": profile.touches,
        "consents": profile.consents,
    }


def left_of(world: World, users: Iterable[str]) -> dict[str, Any]:
    """By user what is in the cart, and the flows that they are in, with the step and when it is due."""
    found = {}
    for user in users:
        profile = world.profile(f"u:{user}")
        assert profile is not None
        skus = set() if profile.cart is None else {item.sku for item in profile.cart.items}
        found[user] = (skus, {(run.flow_id, run.step, run.due_ms) for run in profile.runs})
    return found


def told_of(world: World) -> dict[str, Any]:
    """What insights and subscribers get: flow facts by hour, stock facts, and the ledger.

    A visit counts in the hour of what came in first of it, so only their sum is the same.
    """
    return {
        "visits": world.total("sessions"),
        "facts": {key: value for key, value in world.counts.items() if key[0] in FACTS and value},
        "stocks": {key: value for key, value in world.counts.items() if key[0] in STOCKS and value},
        "credit": world.credit("order_id", "model", "channel", "touch_id", "currency"),
    }


def _histories(seed: int, count: int, *, is_echoed: bool) -> Iterable[tuple[History, Random]]:
    for number in range(count):
        random = Random(f"{seed} {number}")
        yield a_history(random, is_echoed=is_echoed), random


def _assert_ids_end_as_one(seed: int, count: int, *, is_echoed: bool) -> None:
    merges = 0
    for history, random in _histories(seed, count, is_echoed=is_echoed):
        expected, survivors = calm(history), history.survivors
        lived = interleaved(history, random).world
        people = sorted(set(survivors.values()))
        assert sums_of(lived, people) == sums_of(expected, people)
        assert told_of(lived) == told_of(expected)
        if not is_echoed:
            assert left_of(lived, people) == left_of(expected, people)
        _assert_subscribers_know(lived, survivors)
        assert lived.total("candidates_unaccounted") == 0
        assert lived.total("forwards_sent") == lived.total("forwards_received")
        merges += len(USERS) - len(people)
    assert merges > count


def _assert_subscribers_know(world: World, survivors: dict[str, str]) -> None:
    last = {who: record for who, record in world.outputs if isinstance(record, (ProfileView, ProfileMerged))}
    for user, survivor in survivors.items():
        record = last.get(f"u:{user}")
        if isinstance(record, ProfileMerged):
            assert record.survivor == f"u:{survivor}"
        assert isinstance(record, ProfileMerged) == (user != survivor)


class Kiosk:
    """People who log in and out at one device, and what each of them has then, by the rule in words."""

    def __init__(self, random: Random) -> None:
        self._random = random
        # only ids that are known as users are merged
        self.events = [Touchpoint(f"known {user}", "page_viewed", START_MS, user_id=user) for user in USERS[:4]]
        self.orders: dict[str, set[str]] = {}
        """By the key to which they belong."""
        self._pairs: list[tuple[str, str]] = []
        self._user: str | None = None
        """Who is logged in."""
        self._last: str | None = None
        """Who logged in last; another person is another visit."""
        self._visit = 0

    def live(self, steps: int) -> None:
        for number in range(steps):
            self._step = number
            step = self._random.choice((self._order, self._order, self._order, self._log_in, self._log_out, self._join))
            step()

    def _add(self, kind: str, user: str | None, device: str | None, **fields: Any) -> None:
        time_ms = START_MS + self._step * HOUR_MS
        event = Touchpoint(f"e{self._step}", kind, time_ms, user_id=user, anonymous_id=device, **fields)
        self.events.append(event)

    def _order(self) -> None:
        order_id, known = f"o{self._step}", self._random.random() < 0.3
        user = self._random.choice(USERS[:4]) if known else None
        owner = f"u:{user or self._user}" if user or self._user else f"a:{TABLET}"
        order = Order(order_id, "EUR", 1_000)
        self._add("order_completed", user, None if known else TABLET, order=order)
        self.orders.setdefault(owner, set()).add(order_id)

    def _log_in(self) -> None:
        user = self._random.choice(USERS[:4])
        if user != self._last:
            self._visit += 1
        self._last = user
        self._add("page_viewed", user, TABLET, session_id=f"s{self._visit}")
        self._user = user
        held = self.orders.pop(f"a:{TABLET}", set())
        self.orders.setdefault(f"u:{user}", set()).update(held)

    def _log_out(self) -> None:
        """By a device alone, by who is logged in, or by somebody else, which changes nothing."""
        user = self._random.choice((None, self._user, self._random.choice(USERS[:4])))
        self._add("identity_unlinked", user, TABLET)
        if user is None or self._user is None or self._same(user) == self._same(self._user):
            self._user = None

    def _join(self) -> None:
        if self._random.random() < 0.5:
            return
        one, other = self._random.sample(USERS[:4], 2)
        self._pairs.append((one, other))
        self._add("identity_linked", one, None, properties={PREVIOUS_ID: other})

    def _same(self, user: str) -> str:
        return History((), tuple(self._pairs)).survivors[user]

    def expected(self) -> dict[str, set[str]]:
        """The orders by the key under which they end."""
        found: dict[str, set[str]] = {}
        for key, orders in self.orders.items():
            last = key if key.startswith("a:") else f"u:{self._same(key.removeprefix('u:'))}"
            found.setdefault(last, set()).update(orders)
        return {key: orders for key, orders in found.items() if orders}


def orders_by_key(world: World) -> dict[str, set[str]]:
    names = {hash_64(f"o{number}"): f"o{number}" for number in range(100)}
    profiles = {key: world.profile(key) for key in (*[f"u:{user}" for user in USERS], f"a:{TABLET}")}
    found = {key: {names[order.id_hash] for order in profile.orders} for key, profile in profiles.items() if profile}
    return {key: orders for key, orders in found.items() if orders}


def _assert_kiosks_give_each_their_own(seed: int, count: int) -> None:
    kept = 0
    for number in range(count):
        random = Random(f"{seed} {number}")
        kiosk, world = Kiosk(random), World(**SETTINGS)
        kiosk.live(random.randrange(10, 40))
        for event in kiosk.events:
            world.send(event)
        assert orders_by_key(world) == kiosk.expected()
        kept += f"a:{TABLET}" in kiosk.expected()
        _assert_all_is_counted_once(kiosk, world)
        late = Interleaved(random, **SETTINGS)
        late.send(*kiosk.events)
        late.fold()
        assert not late.dead_letters
        _assert_all_is_counted_once(kiosk, late.world)
    assert kept > count // 20


def _assert_all_is_counted_once(kiosk: Kiosk, world: World) -> None:
    """Each order is in one profile, in the facts and in the ledger."""
    wanted = sorted(order for orders in kiosk.orders.values() for order in orders)
    held = orders_by_key(world).values()
    assert sorted(order for orders in held for order in orders) == wanted
    assert (world.total("orders"), world.total("revenue_minor")) == (len(wanted), 1_000 * len(wanted))
    assert world.total("customers_ordered") == len(held)
    assert world.total("new_customers") == len(held)
    assert world.credit("order_id", model="linear") == {(order,): 1_000 for order in wanted}
    public = (ProfileView, ProfileMerged, type(None))
    last = {who: record for who, record in world.outputs if isinstance(record, public)}
    orders = {who: record.orders for who, record in last.items() if isinstance(record, ProfileView) and record.orders}
    assert orders == {key: len(of_key) for key, of_key in orders_by_key(world).items()}


def test_people_who_log_in_and_out_at_one_device_each_get_their_own(seed: int) -> None:
    _assert_kiosks_give_each_their_own(seed, 150)


@pytest.mark.slow
def test_thousands_of_people_at_one_device_each_get_their_own(seed: int) -> None:
    _assert_kiosks_give_each_their_own(seed, 2_000)


def test_ids_that_are_linked_in_any_order_end_as_one_customer(seed: int) -> None:
    _assert_ids_end_as_one(seed, 300, is_echoed=True)


def test_carts_and_candidates_of_ids_that_are_linked_end_as_those_of_one_customer(seed: int) -> None:
    _assert_ids_end_as_one(seed, 300, is_echoed=False)


@pytest.mark.slow
def test_ids_of_thousands_of_histories_end_as_one_customer(seed: int) -> None:
    _assert_ids_end_as_one(seed, 2_500, is_echoed=True)


@pytest.mark.slow
def test_carts_and_candidates_of_thousands_of_histories_end_as_those_of_one_customer(seed: int) -> None:
    _assert_ids_end_as_one(seed, 2_500, is_echoed=False)


def a_chain(random: Random, names: list[str], *, is_longest: bool) -> Interleaved:
    """Each id is linked to the next one, in any order or from the greatest on, while orders of all come in."""
    events = said(pairwise(names), random)
    if is_longest:
        events.sort(key=lambda event: min(event.user_id or "", event.properties[PREVIOUS_ID]), reverse=True)
    for place in range(30):
        order = Order(f"o{place}", "EUR", 1_000)
        event = Touchpoint(f"e{place}", "order_completed", END_MS, user_id=random.choice(names), order=order)
        events.insert(random.randrange(len(events) + 1), event)
    lived = Interleaved(random, **SETTINGS)
    lived.send(*events, *[Touchpoint(f"last {name}", "page_viewed", END_MS, user_id=name) for name in names])
    lived.fold()
    return lived


def test_a_chain_of_as_many_ids_as_a_person_may_have_ends_under_the_least_and_loses_no_record(seed: int) -> None:
    names = [f"{number:02}" for number in range(USERS_OF_A_PERSON_MAX)]
    for number in range(150):
        lived = a_chain(Random(f"{seed} {number}"), names, is_longest=bool(number % 2))
        assert not lived.dead_letters
        profile = lived.world.profile("u:00")
        assert profile is not None
        assert (len(profile.orders), lived.world.total("orders"), lived.world.total("customers_known")) == (30, 30, 1)
        assert waiting(profile.linked) == ()
        assert kept_room(profile.linked) == 0


def test_a_longer_chain_becomes_several_customers_none_with_too_many_ids(seed: int) -> None:
    """Who is one with whom then depends on what came in first, but every order is somebody's, once."""
    names = [f"{number:02}" for number in range(25)]
    for number in range(100):
        lived = a_chain(Random(f"{seed} {number}"), names, is_longest=bool(number % 2))
        assert {letter.split()[0] for letter in lived.dead_letters} == {"too_many_ids"}
        profiles = [profile for name in names if (profile := lived.world.profile(f"u:{name}")) is not None]
        people = [profile for profile in profiles if profile.first_ms]
        assert len(profiles) == len(names)
        assert sum(users_of(profile.linked) for profile in people) == len(names)
        assert max(users_of(profile.linked) for profile in people) <= USERS_OF_A_PERSON_MAX
        assert sum(kept_room(profile.linked) for profile in people) == 0
        assert len(people) == lived.world.total("customers_known")
        assert (sum(len(profile.orders) for profile in people), lived.world.total("orders")) == (30, 30)


def _groups(pairs: Iterable[tuple[str, str]], known: set[str]) -> set[str]:
    """The least ids of those who are one person, of the ids that are known."""
    least = {name: name for name in known}
    for one, other in pairs:
        if one in known and other in known:
            both = {least[one], least[other]}
            least = {name: min(both) if survivor in both else survivor for name, survivor in least.items()}
    return set(least.values())


def test_links_at_random_of_ids_of_which_some_are_not_known_make_the_customers_that_they_say(seed: int) -> None:
    """If there is room for all; else nobody has too many ids, and nothing waits that could go on."""
    refused = 0
    for number in range(250):
        random = Random(f"{seed} {number}")
        names = [f"{name:02}" for name in range(random.choice((6, 9, 12, 25, 40)))]
        many = random.choice((names, names[:1], names[-1:]))
        pairs = [(random.choice(names), random.choice(many)) for _ in range(random.randrange(2, 50))]
        events = said(pairs, random)
        for name in names:
            order = Order(f"o{name}", "EUR", 1_000)
            event = Touchpoint(f"order {name}", "order_completed", END_MS, user_id=name, order=order)
            if random.random() < 0.8:
                events.insert(random.randrange(len(events) + 1), event)
        lived = Interleaved(random, **SETTINGS)
        lived.send(*events)
        lived.fold()
        profiles = {name: profile for name in names if (profile := lived.world.profile(f"u:{name}")) is not None}
        people = {name: profile for name, profile in profiles.items() if profile.first_ms}
        for profile in people.values():
            assert users_of(profile.linked) <= USERS_OF_A_PERSON_MAX
            assert (kept_room(profile.linked), waiting(profile.linked)) == (0, ())
        orders = sum(event.order is not None for event in events)
        assert sum(len(profile.orders) for profile in people.values()) == orders == lived.world.total("orders")
        assert lived.world.total("links_waiting") == sum(len(waiting(each.linked)) for each in profiles.values())
        assert {letter.split()[0] for letter in lived.dead_letters} <= {"too_many_ids"}
        refused += bool(lived.dead_letters)
        if not lived.dead_letters:
            assert set(people) == _groups(pairs, {event.user_id or "" for event in events})
    assert 25 < refused < 225
