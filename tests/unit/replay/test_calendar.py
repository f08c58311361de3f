"""When a replay writes its marks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.units import HOUR_MS, iso_time
from streams.insights.days import next_monday_ms
from streams.replay.calendar import Calendar, MarkDue


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_tick_is_the_next_monday_midnight_of_the_zone_even_where_that_is_no_full_hour_of_utc() -> None:
    wednesday = at("2011-03-23T10:00")
    assert iso_time(next_monday_ms(wednesday, ZoneInfo("UTC"))) == "2011-03-28T00:00:00+00:00"
    assert iso_time(next_monday_ms(wednesday, ZoneInfo("Europe/London"))) == "2011-03-27T23:00:00+00:00"
    assert iso_time(next_monday_ms(wednesday, ZoneInfo("Asia/Kolkata"))) == "2011-03-27T18:30:00+00:00"


def test_the_tick_after_a_tick_is_a_week_later() -> None:
    monday = at("2011-03-28T00:00")
    assert next_monday_ms(monday, ZoneInfo("UTC")) == at("2011-04-04T00:00")


def test_marks_begin_with_the_full_hour_before_the_first_event_and_come_once() -> None:
    calendar = Calendar(at("2011-03-27T21:40"), ZoneInfo("UTC"))
    assert [due.time_ms for due in calendar.until(at("2011-03-27T21:40"))] == [at("2011-03-27T21:00")]
    assert list(calendar.until(at("2011-03-27T21:59"))) == []
    assert list(calendar.until(at("2011-03-28T00:30"))) == [
        MarkDue(at("2011-03-27T22:00"), is_tick=False),
        MarkDue(at("2011-03-27T23:00"), is_tick=False),
        MarkDue(at("2011-03-28T00:00"), is_tick=True),
    ]
    assert calendar.last_ms == at("2011-03-28T00:00")


def test_a_tick_between_two_full_hours_stands_between_their_marks() -> None:
    calendar = Calendar(at("2011-03-27T18:10"), ZoneInfo("Asia/Kolkata"))
    dues = list(calendar.until(at("2011-03-27T19:00")))
    assert [(iso_time(due.time_ms)[11:16], due.is_tick) for due in dues] == [
        ("18:00", False),
        ("18:30", True),
        ("19:00", False),
    ]
    assert dues[2].time_ms - dues[0].time_ms == HOUR_MS
