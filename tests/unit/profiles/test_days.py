"""Days of customers, in their time zones and in every year."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from schemas.units import DAY_MS, HOUR_MS
from streams.profiles.days import next_yearly_ms, time_in_year, time_of

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def test_a_day_begins_at_midnight_there_and_an_instant_is_one() -> None:
    assert time_of("2026-07-01", BERLIN) == ms("2026-07-01 00:00")
    assert time_of("2026-07-01T10:00:00Z", BERLIN) == ms("2026-07-01 12:00")


def test_days_of_a_shift_are_those_of_the_calendar_over_a_change_of_clocks() -> None:
    assert time_of("2026-04-01", BERLIN, -7 * DAY_MS) == ms("2026-03-25 00:00")
    assert time_of("2026-04-01", BERLIN, -7 * DAY_MS + 2 * HOUR_MS) == ms("2026-03-25 02:00")
    assert time_of("2026-03-29", BERLIN, 90 * 60_000) == ms("2026-03-29 00:00") + 90 * 60_000


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-01-01T10:00:00", "0001-01-01", "9999-12-31", "x" * 10]
)
def test_what_is_no_date_of_use_has_no_time(text: str) -> None:
    assert time_of(text, BERLIN) is None


def test_a_day_of_long_ago_comes_in_every_year_since() -> None:
    assert time_in_year("0999-05-01", 2026, BERLIN) == ms("2026-05-01 00:00")
    assert time_in_year("1992-02-29", 2026, BERLIN) == ms("2026-02-28 00:00")
    assert time_in_year("1992-02-29", 2028, BERLIN) == ms("2028-02-29 00:00")
    assert time_in_year("1992-02-29", 2100, ZoneInfo("UTC")) == ms("2100-02-28 00:00", ZoneInfo("UTC"))
    assert time_in_year("1990-05-01", 9_999, BERLIN) is None
    assert time_in_year("soon", 2026, BERLIN) is None


@pytest.mark.parametrize("shift_ms", [0, -7 * DAY_MS, 7 * DAY_MS, -400 * DAY_MS, 800 * DAY_MS, -HOUR_MS])
@pytest.mark.parametrize("day", ["1990-01-01", "1990-12-31", "1992-02-29", "1990-07-04T22:30:00Z"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin"])
def test_the_next_one_is_after_now_and_each_year_has_one(day: str, shift_ms: int, zone: str) -> None:
    there = ZoneInfo(zone)
    at_ms, found = ms("2025-12-30 12:00", ZoneInfo("UTC")), list[int]()
    for _ in range(5):
        next_ms = next_yearly_ms(day, at_ms, there, shift_ms)
        assert next_ms is not None
        assert next_ms > at_ms
        found.append(next_ms)
        at_ms = next_ms
    gaps = [(later - earlier) / DAY_MS for earlier, later in pairwise(found)]
    assert all(363.9 < gap < 367.1 for gap in gaps)
    assert datetime.fromtimestamp(found[0] / 1000, UTC).year <= 2027
