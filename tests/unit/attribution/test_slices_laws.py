"""Laws of credit in slices: whatever is unwritten in between, in the end the balance is that of a calm batch run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.attribution import slices
from streams.attribution.ledger import path_of
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
    History,
    Placed,
    Returned,
    Shop,
    a_touch,
    all_touches,
    an_order_of,
    assert_rows_are_apart_and_counted,
    assert_values_hold_at_every_moment,
    histories,
    played,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint


class SlicedShop(Shop):
    """As `Shop`, where a slice ends after its first conversion, and others wait until `drain`."""

    def _ordered(self, profile: Profile, event: Touchpoint, at: Moment) -> Profile:
        return slices.with_order(profile, event, at)

    def _refunded(self, profile: Profile, event: Touchpoint, refund_minor: int, at: Moment) -> Profile:
        return slices.with_refund(profile, event, refund_minor, at)

    def _retouched(self, profile: Profile, touch: Touch, at: Moment) -> Profile:
        return slices.with_late_touch(profile, touch, at)

    def _merged(self, user: Profile, device: Profile, at: Moment) -> Profile:
        while slices.has_wrong_worth(user):
            user = slices.with_slice(user, at)
        return slices.with_merged(user, user, device, at)

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
def test_rows_of_a_conversion_sum_to_its_value_at_every_moment(history: History) -> None:
    assert_values_hold_at_every_moment(SlicedShop(), history)


@settings(deadline=None)
@given(histories)
def test_the_balance_is_that_of_a_calm_batch_run_once_all_is_written(history: History) -> None:
    shop = played(SlicedShop(), history)
    assert shop.balance() == shop.batch()


@settings(deadline=None)
@given(histories)
def test_no_two_rows_have_the_same_id_and_facts_equal_the_rows(history: History) -> None:
    assert_rows_are_apart_and_counted(played(SlicedShop(), history))


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
        assert slices.has_wrong_worth(shop.profiles["u:1"])
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
