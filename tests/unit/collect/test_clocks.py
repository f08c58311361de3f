"""Clocks of browsers are corrected as Segment specifies, and no event moves before another of its request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import DAY_MS
from streams.collect.refused import RefusedRecord
from tests.support.calls import NOW_MS, a_call, touchpoint_of

SECOND = 1_000


def time_of(**fields: Any) -> int:
    settings = {name: fields.pop(name) for name in ("server_sources", "clock") if name in fields}
    return touchpoint_of(a_call("x", **fields), **settings).time_ms


def at(ms: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat()


def test_a_phone_two_years_behind_is_put_right() -> None:
    behind = 730 * DAY_MS
    fields = {"originalTimestamp": at(-behind), "sentAt": at(5 * SECOND - behind), "receivedAt": at(0)}
    assert time_of(timestamp=..., **fields) == NOW_MS - 5 * SECOND
    del fields["receivedAt"]
    assert time_of(timestamp=..., **fields) == NOW_MS - 5 * SECOND, "the broker's append time is when it was received"
    assert time_of(timestamp=fields.pop("originalTimestamp"), **fields) == NOW_MS - 5 * SECOND


def test_a_time_that_was_corrected_by_who_sent_it_holds() -> None:
    fields = {"timestamp": at(-60_000), "originalTimestamp": at(0), "sentAt": at(0), "receivedAt": at(0)}
    assert time_of(**fields) == NOW_MS - 60_000


def test_a_server_is_taken_at_its_word_and_so_is_who_says_not_when_it_was_sent() -> None:
    fields = {"timestamp": at(-DAY_MS), "sentAt": at(-DAY_MS)}
    assert time_of(**fields) == NOW_MS
    assert time_of(**fields, server_sources=("segment",)) == NOW_MS - DAY_MS
    assert time_of(timestamp=at(-DAY_MS)) == NOW_MS - DAY_MS


def test_in_a_replay_nobody_knows_when_a_record_was_received() -> None:
    fields = {"timestamp": at(-DAY_MS), "sentAt": at(-DAY_MS), "clock": "marks"}
    assert time_of(**fields) == NOW_MS - DAY_MS
    with pytest.raises(RefusedRecord, match="timestamp is missing"):
        time_of(timestamp=..., clock="marks")


def test_without_any_time_an_event_happened_when_it_was_received() -> None:
    assert time_of(timestamp=...) == NOW_MS
    assert time_of(timestamp=..., receivedAt=at(-7)) == NOW_MS - 7
    assert time_of(timestamp=..., sentAt=at(-DAY_MS)) == NOW_MS


def test_nothing_happened_after_it_was_sent() -> None:
    assert time_of(timestamp=at(DAY_MS), sentAt=at(0)) == NOW_MS


@given(
    skew=st.integers(-(10**11), 10**11),
    delay=st.integers(0, 10**7),
    waited=st.lists(st.integers(0, 10**9), min_size=2, max_size=2),
)
def test_events_of_a_request_keep_their_order_whatever_the_skew(skew: int, delay: int, waited: list[int]) -> None:
    """The request was sent `delay` before it came in, by a clock that is wrong by `skew`."""
    sent = skew - delay
    times = [time_of(timestamp=at(sent - each), sentAt=at(sent)) for each in waited]
    assert times == [NOW_MS - each for each in waited]


@pytest.mark.parametrize(
    "value",
    [*("yesterday", "2026-01-01", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z", "2" * 100_000), True, [], {}, 10**30],
)
@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "sentAt", "receivedAt"])
def test_a_time_that_is_none_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(RefusedRecord, match=name) as refused:
        time_of(**{"sentAt": at(0), name: value})
    assert len(refused.value.detail) < 250


@pytest.mark.parametrize("value", [1_767_225_600, 1_767_225_600_000, 1_767_225_600.0, "2026-01-01T01:00:00+01:00"])
def test_a_time_may_be_a_number_of_seconds_or_milliseconds(value: Any) -> None:
    assert time_of(timestamp=value) == 1_767_225_600_000
