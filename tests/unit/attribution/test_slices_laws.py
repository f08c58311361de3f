"""Laws of credit in slices: whatever is unwritten in between, in the end the balance is that of a calm batch run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outputs import Credit
from streams.attribution import slices
from streams.attribution.ledger import path_of
from streams.attribution.models import MODELS
from streams.attribution.touches import add_touch, united
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import Profile, Touch
from tests.support.ledger import (
    KEYS,
    NOW_MS,
    SETTINGS,
    START_MS,
    Absorbs,
    Placed,
    Returned,
    Shop,
    Step,
    a_touch,
    all_touches,
    an_order_of,
    histories,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class SlicedShop(Shop):
    """As `Shop`, where a slice ends after its first conversion, and others wait until `drain`."""

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
            profile = slices.with_order(profile, event, self._at(owner, event.event_id))
        elif profile.conversions:
            conversion = profile.conversions[step.order % len(profile.conversions)]
            placed = self.values[conversion.order_id]
            self.values[conversion.order_id] = placed._replace(minor=max(placed.minor - step.minor, 0))
            event = an_order_of(placed)
            profile = slices.with_refund(profile, event, step.minor, self._at(owner, event.event_id))
        self.profiles[owner] = profile

    def _touch(self, owner: str, profile: Profile, touch: Touch) -> Profile:
        touches = add_touch(profile.touches, touch, NOW_MS)
        if touches is profile.touches:
            return profile
        profile = msgspec.structs.replace(profile, touches=touches)
        return slices.with_late_touch(profile, touch, self._at(owner, "late"))

    def _absorb(self, device: str) -> None:
        if self.owner[device] != device:
            return
        user, other = self.profiles["u:1"], self.profiles[device]
        at = self._at("u:1", f"absorbed:{device}")
        while slices.has_two_written(user):
            user = slices.with_slice(user, at)
        self.profiles["u:1"] = slices.with_merged(user, user, other, at)
        self.owner[device] = "u:1"

    def drain(self) -> None:
        for owner, before in self.profiles.items():
            profile = before
            while profile.uncredited:
                profile = slices.with_slice(profile, self._at(owner, "timer"))
            self.profiles[owner] = profile


@pytest.fixture(autouse=True, scope="module")
def _short_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "ROWS_MAX", 1)
        yield


@settings(deadline=None)
@given(histories)
def test_rows_of_a_conversion_sum_to_its_value_at_every_moment(history: list[tuple[str, Step]]) -> None:
    shop = SlicedShop()
    for key, step in history:
        shop.fold(key, step)
        sums: Counter[tuple[str, str]] = Counter()
        for (order_id, model, _), minor in shop.balance().items():
            sums[order_id, model] += minor
        for order_id, placed in shop.values.items():
            assert {sums[order_id, model] for model in MODELS} == {placed.minor}


@settings(deadline=None)
@given(histories)
def test_the_balance_is_that_of_a_calm_batch_run_once_all_is_written(history: list[tuple[str, Step]]) -> None:
    shop = SlicedShop()
    for key, step in history:
        shop.fold(key, step)
    shop.drain()
    assert shop.balance() == shop.batch()


@settings(deadline=None)
@given(histories)
def test_no_two_rows_have_the_same_id_and_facts_equal_the_rows(history: list[tuple[str, Step]]) -> None:
    shop = SlicedShop()
    for key, step in history:
        shop.fold(key, step)
    shop.drain()
    rows = [row for _, row in shop.effects.outputs if isinstance(row, Credit)]
    assert len({row.credit_id for row in rows}) == len(rows)
    assert sum(shop.effects.counts.values()) == sum(row.amount_minor for row in rows)


def test_an_order_in_three_profiles_is_credited_once_when_all_is_written() -> None:
    """Each merge waits until the rows of the two profiles before are written."""
    shop = SlicedShop()
    clicks = {
        key: a_touch(START_MS + number, f"channel-{key}", number, is_view=False) for number, key in enumerate(KEYS)
    }
    for key in KEYS:
        shop.fold(key, clicks[key])
        for order_id in ("one", "two"):
            shop.fold(key, Placed(order_id, START_MS + 60_000, 999))
    for device in KEYS[1:]:
        shop.fold("u:1", Absorbs(device))
        assert slices.has_two_written(shop.profiles["u:1"])
    shop.drain()
    for order_id in ("one", "two"):
        linear = {
            touch: minor
            for (order, model, touch), minor in shop.balance().items()
            if (order, model) == (order_id, "linear")
        }
        assert sorted(linear.values()) == [333, 333, 333]


def test_a_refund_of_an_order_whose_credit_waits_writes_that_order_whole() -> None:
    shop = SlicedShop()
    for order_id in ("one", "two"):
        shop.fold("u:1", Placed(order_id, START_MS + 60_000, 900))
    shop.fold("u:1", a_touch(START_MS, "ads", 1, is_view=False))
    assert [item.order_id for item in shop.profiles["u:1"].uncredited] == ["two"]
    shop.fold("u:1", Returned(1, 300))
    assert shop.profiles["u:1"].uncredited == ()
    assert {minor for (order, _, touch), minor in shop.balance().items() if order == "two" and touch} == {600}


@settings(deadline=None)
@given(st.lists(all_touches, max_size=12), all_touches, times)
def test_a_late_touch_changes_a_path_as_if_the_whole_path_were_made_anew(
    given_touches: list[Touch], late: Touch, order_ms: int
) -> None:
    before = united(tuple(given_touches))
    event = an_order_of(Placed("o", order_ms, 900))
    at = Moment("u:1", NOW_MS, "late", SETTINGS, Effects())
    profile = slices.with_order(Profile(touches=before), event, at)
    touches = add_touch(before, late, NOW_MS)
    if touches is before:
        return
    after = slices.with_late_touch(msgspec.structs.replace(profile, touches=touches), late, at)
    assert after.conversions[0].path == path_of(touches, order_ms, SETTINGS)
