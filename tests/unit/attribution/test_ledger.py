"""The ledger: rows add up to the conversion, whatever comes late."""

from __future__ import annotations

from collections import Counter
from itertools import count

import msgspec
import pytest

from schemas.outputs import Credit
from schemas.touchpoint import Order, Touchpoint
from schemas.units import DAY_MS
from streams.attribution.ledger import converted, merged, refunded, retouched
from streams.attribution.models import MODELS
from streams.attribution.touches import add_touch
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import Conversion, Profile, Touch
from streams.settings import parse_domain
from tests.support.touches import NOW_MS, a_touch

SETTINGS = parse_domain("{}")
_ids = count()


def an_order(order_id: str, total_minor: int, time_ms: int = NOW_MS, currency: str = "EUR") -> Touchpoint:
    order = Order(order_id=order_id, currency=currency, total_minor=total_minor)
    return Touchpoint(event_id=f"e{next(_ids)}", type="order_completed", time_ms=time_ms, order=order)


def a_refund(order_id: str, minor: int, currency: str = "EUR") -> Touchpoint:
    return msgspec.structs.replace(an_order(order_id, minor, NOW_MS + 1, currency), type="order_refunded")


def credits_in(effects: Effects) -> list[Credit]:
    return [record for _, record in effects.outputs if isinstance(record, Credit)]


def balance(effects: Effects) -> dict[tuple[str, str, str], int]:
    """(order, model, channel) -> minor units."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for row in credits_in(effects):
        sums[row.order_id, row.model, row.channel] += row.amount_minor
    return {key: minor for key, minor in sums.items() if minor}


def at(cause: str, effects: Effects) -> Moment:
    """The customer u:1, now."""
    return Moment("u:1", NOW_MS, cause, SETTINGS, effects)


class Ledger:
    """A customer whose credit rows are gathered."""

    def __init__(self, *touches: Touch) -> None:
        self.profile = Profile(touches=tuple(sorted(touches, key=lambda touch: touch.time_ms)))
        self.effects = Effects()

    def _keep(self, conversions: tuple[Conversion, ...]) -> None:
        self.profile = msgspec.structs.replace(self.profile, conversions=conversions)

    def order(self, order_id: str, minor: int, time_ms: int = NOW_MS, currency: str = "EUR") -> None:
        event = an_order(order_id, minor, time_ms, currency)
        self._keep(converted(self.profile, event, at(event.event_id, self.effects)))

    def refund(self, order_id: str, minor: int, currency: str = "EUR") -> None:
        event = a_refund(order_id, minor, currency)
        self._keep(refunded(self.profile, event, minor, at(event.event_id, self.effects)))

    def touch(self, touch: Touch) -> None:
        touches = add_touch(self.profile.touches, touch, NOW_MS)
        self.profile = msgspec.structs.replace(self.profile, touches=touches)
        self._keep(retouched(self.profile, touch, at("late", self.effects)))

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        return self.profile.conversions


def test_an_order_without_a_touch_is_direct() -> None:
    ledger = Ledger()
    ledger.order("o1", 4_200)
    assert balance(ledger.effects) == {("o1", "linear", "direct"): 4_200, ("o1", "last", "direct"): 4_200}


def test_credit_is_divided_over_the_touches_of_the_lookback() -> None:
    ledger = Ledger(
        a_touch("sms", NOW_MS - 31 * DAY_MS),
        a_touch("ads", NOW_MS - 30 * DAY_MS),
        a_touch("ads", NOW_MS - 2 * DAY_MS, is_view=True),
        a_touch("display", NOW_MS - DAY_MS, is_view=True),
        a_touch("email", NOW_MS),
        a_touch("push", NOW_MS + 1),
    )
    ledger.order("o1", 100)
    assert balance(ledger.effects) == {
        ("o1", "linear", "ads"): 34,
        ("o1", "linear", "display"): 33,
        ("o1", "linear", "email"): 33,
        ("o1", "last", "email"): 100,
    }


def test_credit_counts_at_the_hour_of_the_conversion() -> None:
    ledger = Ledger()
    ledger.order("o1", 70, NOW_MS + 5)
    ledger.order("o2", 30, NOW_MS + 6, currency="USD")
    assert ledger.effects.counts["credited_minor", NOW_MS, "model=linear,channel=direct"] == 70
    assert ledger.effects.counts["credited_minor", NOW_MS, "model=last,currency=USD,channel=direct"] == 30


def test_the_same_order_again_changes_nothing() -> None:
    ledger = Ledger(a_touch())
    ledger.order("o1", 100)
    before, rows = ledger.conversions, len(ledger.effects.outputs)
    ledger.order("o1", 100)
    assert ledger.conversions is before
    assert len(ledger.effects.outputs) == rows


def test_a_refund_reverses_the_rows_and_writes_new_ones() -> None:
    ledger = Ledger(a_touch("ads", NOW_MS - 2), a_touch("email", NOW_MS - 1))
    ledger.order("o1", 101)
    ledger.refund("o1", 100)
    linear = [row for row in credits_in(ledger.effects) if row.model == "linear"]
    assert [(row.kind, row.channel, row.amount_minor, row.revision) for row in linear] == [
        ("credit", "ads", 51, 0),
        ("credit", "email", 50, 0),
        ("reversal", "ads", -51, 1),
        ("reversal", "email", -50, 1),
        ("credit", "ads", 1, 1),
    ]
    assert ledger.conversions[0].value_minor == 1


def test_a_full_refund_leaves_no_credit_and_one_beyond_it_changes_nothing() -> None:
    ledger = Ledger(a_touch())
    ledger.order("o1", 100)
    ledger.refund("o1", 130)
    assert balance(ledger.effects) == {}
    before = ledger.conversions
    ledger.refund("o1", 10)
    assert ledger.conversions is before


@pytest.mark.parametrize(("order_id", "currency"), [("unknown", "EUR"), ("o1", "USD")])
def test_a_refund_of_no_open_conversion_is_unattributed(order_id: str, currency: str) -> None:
    ledger = Ledger(a_touch())
    ledger.order("o1", 100)
    ledger.refund(order_id, 30, currency)
    ledger.refund(order_id, 30, currency)
    sums = balance(ledger.effects)
    assert {sums[order_id, model, "unattributed_refund"] for model in MODELS} == {-60}
    ids = [row.credit_id for row in credits_in(ledger.effects)]
    assert len(ids) == len(set(ids))


def test_a_late_touch_moves_credit() -> None:
    ledger = Ledger(a_touch("email", NOW_MS - 1))
    ledger.order("o1", 100)
    ledger.touch(a_touch("ads", NOW_MS - 2))
    assert balance(ledger.effects) == {
        ("o1", "linear", "ads"): 50,
        ("o1", "linear", "email"): 50,
        ("o1", "last", "email"): 100,
    }
    # the last touch is the same: that model writes no new rows
    assert [row.kind for row in credits_in(ledger.effects) if row.model == "last"] == ["credit"]


def test_a_late_touch_out_of_the_lookback_changes_nothing() -> None:
    ledger = Ledger(a_touch())
    ledger.order("o1", 100)
    before = ledger.conversions
    ledger.touch(a_touch("ads", NOW_MS - 31 * DAY_MS))
    ledger.touch(a_touch("sms", NOW_MS + 1))
    assert ledger.conversions is before


def test_a_late_beginning_of_a_visit_may_take_it_out_of_the_lookback() -> None:
    ledger = Ledger(a_touch("ads", NOW_MS - 30 * DAY_MS, session=5))
    ledger.order("o1", 100)
    ledger.touch(a_touch("ads", NOW_MS - 30 * DAY_MS - 1, session=5))
    assert balance(ledger.effects) == {("o1", "linear", "direct"): 100, ("o1", "last", "direct"): 100}


def test_an_old_order_is_credited_but_not_kept_open() -> None:
    ledger = Ledger()
    ledger.order("o1", 100, NOW_MS - 181 * DAY_MS)
    assert ledger.conversions == ()
    assert balance(ledger.effects)["o1", "linear", "direct"] == 100


def test_a_merge_recomputes_paths_from_the_touches_of_both() -> None:
    user, device = Ledger(a_touch("email", NOW_MS - 1)), Ledger(a_touch("ads", NOW_MS - 2))
    user.order("o1", 100)
    device.order("o2", 50)
    effects = Effects()
    effects.outputs = user.effects.outputs + device.effects.outputs
    touches, conversions = merged(user.profile, device.profile, at("absorbed", effects))
    assert [touch.channel for touch in touches] == ["ads", "email"]
    assert [conversion.order_id for conversion in conversions] == ["o1", "o2"]
    assert balance(effects) == {
        ("o1", "linear", "ads"): 50,
        ("o1", "linear", "email"): 50,
        ("o1", "last", "email"): 100,
        ("o2", "linear", "ads"): 25,
        ("o2", "linear", "email"): 25,
        ("o2", "last", "email"): 50,
    }


def test_a_merge_that_changes_no_path_writes_nothing() -> None:
    user, device = Ledger(a_touch("email", NOW_MS - 1)), Ledger(a_touch("ads", NOW_MS + 1))
    user.order("o1", 100)
    effects = Effects()
    _, conversions = merged(user.profile, device.profile, at("absorbed", effects))
    assert conversions == user.conversions
    assert effects.outputs == []


@pytest.mark.parametrize("device_channel", ["email", "ads"])
def test_an_order_that_both_profiles_had_is_credited_once_after_the_merge(device_channel: str) -> None:
    user, device = (
        Ledger(a_touch("email", NOW_MS - 1, id_hash=8)),
        Ledger(a_touch(device_channel, NOW_MS - 1, id_hash=8 if device_channel == "email" else 9)),
    )
    user.order("o1", 100)
    device.order("o1", 100)
    device.refund("o1", 40)
    one, other = Effects(), Effects()
    one.outputs = user.effects.outputs + device.effects.outputs
    other.outputs = list(one.outputs)
    merged(user.profile, device.profile, at("absorbed", one))
    merged(device.profile, user.profile, at("absorbed", other))
    assert balance(one) == balance(other)
    for model in MODELS:
        assert sum(minor for (_, name, _), minor in balance(one).items() if name == model) == 60
