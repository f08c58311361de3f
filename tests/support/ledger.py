"""A shop with three keys of one person, folded step by step, and what a calm batch run of it gives."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from schemas.outputs import Credit
from schemas.touchpoint import Order, Touchpoint
from schemas.units import DAY_MS
from streams.attribution.ledger import converted, merged, refunded, retouched
from streams.attribution.models import MODELS
from streams.attribution.touches import add_touch, bounded, united
from streams.profiles.effects import Effects, hash_64
from streams.profiles.moment import Moment
from streams.profiles.profile import EMPTY, Conversion, Profile, Touch
from streams.settings import parse_domain

SETTINGS = parse_domain('{"lookback_ms": 600000, "view_lookback_ms": 180000}')
START_MS = 1_700_000_000_000 - 1_700_000_000_000 % DAY_MS
NOW_MS = START_MS + DAY_MS
SPAN_MS = 40 * 60_000
KEYS = ("u:1", "a:1", "a:2")
"""One person's user and devices."""


class Placed(NamedTuple):
    order_id: str
    time_ms: int
    minor: int


class Returned(NamedTuple):
    order: int
    minor: int


class Absorbs(NamedTuple):
    device: str


Step = Touch | Placed | Returned | Absorbs

History = list[tuple[str, Step]]

times = st.integers(START_MS, START_MS + SPAN_MS)


def a_touch(time_ms: int, channel: str, session: int, *, is_view: bool) -> Touch:
    id_hash = hash_64(f"{time_ms} {channel} {session} {is_view}")
    return Touch(time_ms, id_hash, channel, None, session, is_view)


all_touches = st.builds(a_touch, times, st.sampled_from(["ads", "email"]), st.integers(0, 4), is_view=st.booleans())
histories = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.one_of(
            all_touches,
            st.builds(Placed, st.uuids().map(str), times, st.integers(0, 10_000)),
            st.builds(Returned, st.integers(0, 9), st.integers(1, 10_000)),
            st.builds(Absorbs, st.sampled_from(KEYS[1:])),
        ),
    ),
    max_size=40,
)


class Shop:
    """Three keys of one person, folded step by step."""

    def __init__(self) -> None:
        self.profiles = dict.fromkeys(KEYS, EMPTY)
        self.owner = {key: key for key in KEYS}
        self.effects = Effects()
        self.values: dict[str, Placed] = {}
        self.touches: list[tuple[str, Touch]] = []
        self.order_key: dict[str, str] = {}

    def fold(self, key: str, step: Step) -> None:
        if isinstance(step, Absorbs):
            self._absorb(step.device)
            return
        owner = self.owner[key]
        profile = self.profiles[owner]
        if isinstance(step, Touch):
            self.touches.append((key, step))
            profile = self._touch(owner, profile, step)
        elif isinstance(step, Placed):
            self.values[step.order_id] = step
            self.order_key[step.order_id] = key
            event = an_order_of(step)
            profile = self._ordered(profile, event, self._at(owner, event.event_id))
        elif profile.conversions:
            conversion = profile.conversions[step.order % len(profile.conversions)]
            placed = self.values[conversion.order_id]
            self.values[conversion.order_id] = placed._replace(minor=max(placed.minor - step.minor, 0))
            event = an_order_of(placed)
            profile = self._refunded(profile, event, step.minor, self._at(owner, event.event_id))
        self.profiles[owner] = profile

    def _touch(self, owner: str, profile: Profile, touch: Touch) -> Profile:
        touches = add_touch(profile.touches, touch, NOW_MS)
        if touches is profile.touches:
            return profile
        profile = msgspec.structs.replace(profile, touches=touches)
        return self._retouched(profile, touch, self._at(owner, "late"))

    def _absorb(self, device: str) -> None:
        if self.owner[device] != device:
            return
        user, other = self.profiles["u:1"], self.profiles[device]
        self.profiles["u:1"] = self._merged(user, other, self._at("u:1", f"absorbed:{device}"))
        self.owner[device] = "u:1"

    def drain(self) -> None:
        """Writes what is unwritten; here that is nothing."""

    def _ordered(self, profile: Profile, event: Touchpoint, at: Moment) -> Profile:
        return self._with(profile, converted(profile, event, at))

    def _refunded(self, profile: Profile, event: Touchpoint, refund_minor: int, at: Moment) -> Profile:
        return self._with(profile, refunded(profile, event, refund_minor, at))

    def _retouched(self, profile: Profile, touch: Touch, at: Moment) -> Profile:
        return self._with(profile, retouched(profile, touch, at))

    def _merged(self, user: Profile, device: Profile, at: Moment) -> Profile:
        touches, conversions = merged(user, device, at)
        return msgspec.structs.replace(user, touches=touches, conversions=conversions)

    def _at(self, owner: str, cause: str) -> Moment:
        return Moment(owner, NOW_MS, cause, SETTINGS, self.effects)

    @staticmethod
    def _with(profile: Profile, conversions: tuple[Conversion, ...]) -> Profile:
        return msgspec.structs.replace(profile, conversions=conversions)

    def balance(self) -> Counter[tuple[str, str, str | None]]:
        """(order, model, touch) -> minor units, those that are not 0."""
        return sums_of(self.effects)

    def batch(self) -> Counter[tuple[str, str, str | None]]:
        """The same in one calm run: every touch of the person is there before any order."""
        effects = Effects()
        for owner in set(self.owner.values()):
            mine = tuple(touch for key, touch in self.touches if self.owner[key] == owner)
            profile = Profile(touches=bounded(united(mine), NOW_MS))
            for order_id, placed in self.values.items():
                if self.owner[self.order_key[order_id]] == owner:
                    event = an_order_of(placed)
                    converted(profile, event, Moment(owner, NOW_MS, event.event_id, SETTINGS, effects))
        return sums_of(effects)


def played(shop: Shop, history: History) -> Shop:
    """The shop after all of it, with all credit written."""
    for key, step in history:
        shop.fold(key, step)
    shop.drain()
    return shop


def assert_values_hold_at_every_moment(shop: Shop, history: History) -> None:
    """The rows of each conversion sum to its value, by every model, whatever is unwritten."""
    for key, step in history:
        shop.fold(key, step)
        sums: Counter[tuple[str, str]] = Counter()
        for (order_id, model, _), minor in shop.balance().items():
            sums[order_id, model] += minor
        for order_id, placed in shop.values.items():
            assert {sums[order_id, model] for model in MODELS} == {placed.minor}


def assert_rows_are_apart_and_counted(shop: Shop) -> None:
    """No two rows have the same id, and the facts are the sum of the rows."""
    rows = [row for _, row in shop.effects.outputs if isinstance(row, Credit)]
    assert len({row.credit_id for row in rows}) == len(rows)
    assert sum(shop.effects.counts.values()) == sum(row.amount_minor for row in rows)


def an_order_of(placed: Placed) -> Touchpoint:
    order = Order(order_id=placed.order_id, currency="EUR", total_minor=placed.minor)
    return Touchpoint(event_id="e" + placed.order_id, type="order_completed", time_ms=placed.time_ms, order=order)


def sums_of(effects: Effects) -> Counter[tuple[str, str, str | None]]:
    sums: Counter[tuple[str, str, str | None]] = Counter()
    for _, row in effects.outputs:
        assert isinstance(row, Credit)
        sums[row.order_id, row.model, row.touch_id] += row.amount_minor
    return Counter({key: minor for key, minor in sums.items() if minor})
