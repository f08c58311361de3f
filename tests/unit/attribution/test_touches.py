"""Touches: what counts as one, and which are kept."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest

from schemas.touchpoint import Marketing, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.attribution.touches import add_touch, touch_of
from streams.profiles.effects import hash_64
from streams.profiles.profile import TOUCHES_MAX, Touch
from tests.support.touches import NOW_MS, a_touch

_ids = count()


def an_event(kind: str, time_ms: int = NOW_MS, channel: str | None = None, session: str | None = None) -> Touchpoint:
    return Touchpoint(event_id=f"e{next(_ids)}", type=kind, time_ms=time_ms, channel=channel, session_id=session)


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
