"""Touches, models and the ledger: rows add up to the conversion, whatever comes late."""

from __future__ import annotations

from collections import Counter
from itertools import count

import msgspec
import pytest

from schemas.outputs import Credit
from schemas.touchpoint import Marketing, Order, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.attribution.ledger import converted, merged, refunded, retouched
from streams.attribution.models import MODELS, apportion, split_last, split_linear
from streams.attribution.touches import add_touch, touch_of
from streams.profiles.effects import Effects, hash_64
from streams.profiles.moment import Moment
from streams.profiles.profile import TOUCHES_MAX, Conversion, Profile, Touch
from streams.settings import parse_domain

NOW_MS = 1_700_000_000_000 - 1_700_000_000_000 % DAY_MS
SETTINGS = parse_domain("{}")
_ids = count()


def an_event(kind: str, time_ms: int = NOW_MS, channel: str | None = None, session: str | None = None) -> Touchpoint:
    return Touchpoint(event_id=f"e{next(_ids)}", type=kind, time_ms=time_ms, channel=channel, session_id=session)


def an_order(order_id: str, total_minor: int, time_ms: int = NOW_MS, currency: str = "EUR") -> Touchpoint:
    order = Order(order_id=order_id, currency=currency, total_minor=total_minor)
    return Touchpoint(event_id=f"e{next(_ids)}", type="order_completed", time_ms=time_ms, order=order)


def a_refund(order_id: str, minor: int, currency: str = "EUR") -> Touchpoint:
    return msgspec.structs.replace(an_order(order_id, minor, NOW_MS + 1, currency), type="order_refunded")


def a_touch(
    channel: str = "email",
    time_ms: int = NOW_MS - HOUR_MS,
    *,
    session: int = 0,
    is_view: bool = False,
    id_hash: int = 0,
) -> Touch:
    return Touch(time_ms, id_hash or next(_ids) + 1, channel, None, session, is_view)


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


# touches


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("email_clicked", None, "email"),
        ("sms_clicked", None, "sms"),
        ("push_opened", None, "push"),
        ("ad_clicked", None, "ads"),
        ("ad_clicked", "paid_search", "paid_search"),
        ("page_viewed", "organic", "organic"),
        ("product_added", "affiliate", "affiliate"),
    ],
)
def test_a_click_or_a_visit_by_a_channel_is_a_touch(kind: str, given: str | None, expected: str) -> None:
    touch = touch_of(an_event(kind, channel=given), 7, 0)
    assert touch is not None
    assert (touch.channel, touch.is_view, touch.id_hash) == (expected, False, 7)


@pytest.mark.parametrize("kind", ["ad_impression", "promotion_viewed", "email_opened"])
def test_what_was_only_seen_is_a_view(kind: str) -> None:
    touch = touch_of(an_event(kind), 7, 0)
    assert touch is not None
    assert touch.is_view


@pytest.mark.parametrize(
    "kind", ["email_delivered", "email_bounced", "spend_recorded", "consent_changed", "unheard_of"]
)
def test_what_the_customer_did_not_answer_is_no_touch(kind: str) -> None:
    assert touch_of(an_event(kind, channel="email"), 7, 0) is None


@pytest.mark.parametrize("channel", [None, "direct", ""])
def test_a_direct_visit_is_no_touch(channel: str | None) -> None:
    assert touch_of(an_event("page_viewed", channel=channel), 7, 0) is None


def test_a_touch_knows_its_session_and_campaign() -> None:
    event = an_event("page_viewed", channel="ads", session="s1")
    touch = touch_of(msgspec.structs.replace(event, marketing=Marketing(utm_campaign="spring")), 7, hash_64("s1"))
    assert touch is not None
    assert (touch.session_hash, touch.campaign_id) == (hash_64("s1"), "spring")


def test_further_pages_of_a_visit_add_nothing() -> None:
    touches = add_touch((), a_touch("ads", session=5), NOW_MS)
    assert add_touch(touches, a_touch("ads", NOW_MS, session=5), NOW_MS) is touches
    assert len(add_touch(touches, a_touch("ads", NOW_MS, session=6), NOW_MS)) == 2
    assert len(add_touch(touches, a_touch("email", NOW_MS, session=5), NOW_MS)) == 2


def test_without_a_session_a_repeat_in_the_same_half_hour_adds_nothing() -> None:
    touches = add_touch((), a_touch("ads", NOW_MS - HOUR_MS), NOW_MS)
    assert add_touch(touches, a_touch("ads", NOW_MS - HOUR_MS + 29 * 60_000), NOW_MS) is touches
    assert len(add_touch(touches, a_touch("ads", NOW_MS - HOUR_MS + 31 * 60_000), NOW_MS)) == 2


def test_of_a_visit_the_earliest_touch_stays_even_if_it_comes_late() -> None:
    later, earlier = a_touch("ads", NOW_MS, session=5), a_touch("ads", NOW_MS - 1, session=5)
    assert add_touch((later,), earlier, NOW_MS) == (earlier,)


def test_a_click_after_a_view_of_the_same_visit_is_kept() -> None:
    touches = add_touch((), a_touch("ads", session=5, is_view=True), NOW_MS)
    assert len(add_touch(touches, a_touch("ads", session=5), NOW_MS)) == 2


def test_touches_are_bounded_by_number_and_age() -> None:
    touches: tuple[Touch, ...] = ()
    for number in range(TOUCHES_MAX + 20):
        touches = add_touch(touches, a_touch("ads", NOW_MS + number, session=number + 1), NOW_MS)
    assert [touch.session_hash for touch in touches] == list(range(21, TOUCHES_MAX + 21))
    assert add_touch(touches, a_touch("ads", NOW_MS - 1, session=999), NOW_MS) is touches
    assert add_touch(touches, a_touch("ads", NOW_MS - 91 * DAY_MS), NOW_MS) is touches
    newest = a_touch("email", NOW_MS + 91 * DAY_MS)
    assert add_touch(touches, newest, NOW_MS + 91 * DAY_MS) == (newest,)


# models


def test_the_linear_model_gives_odd_minor_units_to_the_earliest() -> None:
    assert split_linear(100, (a_touch(), a_touch(), a_touch())) == (34, 33, 33)


def test_the_last_model_gives_all_to_the_last_touch() -> None:
    assert split_last(100, (a_touch(), a_touch(), a_touch())) == (0, 0, 100)


def test_the_largest_remainder_gets_the_odd_unit() -> None:
    assert apportion(10, (1, 2, 4)) == (1, 3, 6)


# ledger


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
    assert ledger.effects.counts["credited_minor", NOW_MS, "model=last,channel=direct,currency=USD"] == 30


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
    # the last touch is the same: that model writes nothing anew
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
