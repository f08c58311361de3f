"""Times of column files."""

from __future__ import annotations

import pytest

from streams.replay.files.parts import Time
from streams.replay.files.times import bounds_of, expected, time_reader

TEN = 1_768_039_200_000
"""2026-01-10 10:00 UTC."""


@pytest.mark.parametrize(
    ("text", "form", "zone", "time_ms"),
    [
        ("2026-01-10T10:00:00Z", None, "UTC", TEN),
        ("2026-01-10 11:00:00", None, "Europe/Berlin", TEN),
        (" 2026-01-10 11:00 ", None, "Europe/Berlin", TEN),
        ("2026-01-10 05:00:00 -0500", "%Y-%m-%d %H:%M:%S %z", "UTC", TEN),
        ("10/01/2026 10:00", "%d/%m/%Y %H:%M", "UTC", TEN),
        ("01/10/2026 10:00 AM", "%m/%d/%Y %I:%M %p", "UTC", TEN),
        ("1768039200", "epoch_s", "Europe/Berlin", TEN),
        ("1768039200.25", "epoch_s", "UTC", TEN + 250),
        ("1.7680392E9", "epoch_s", "UTC", TEN),
        ("1768039200000", "epoch_ms", "UTC", TEN),
    ],
)
def test_a_time_is_read_in_its_form_and_zone(text: str, form: str | None, zone: str, time_ms: int) -> None:
    assert time_reader(Time(column=("at",), format=form, zone=zone))(text) == (time_ms, time_ms)


@pytest.mark.parametrize("form", [None, "%d/%m/%Y", "epoch_s", "epoch_ms"])
@pytest.mark.parametrize("text", ["", "soon", "nan", "1e99", "03-04/2026", "9" * 50_000])
def test_what_is_no_time_is_none(text: str, form: str | None) -> None:
    assert time_reader(Time(column=("at",), format=form))(text) is None


def test_an_hour_that_a_night_has_twice_has_two_times() -> None:
    read = time_reader(Time(column=("at",), zone="Europe/Berlin"))
    first, second = read("2026-10-25 02:30:00") or (0, 0)
    assert second - first == 3_600_000
    assert read("2026-10-25 02:30:00+02:00") == (first, first)


def test_what_is_said_of_a_wrong_time_names_what_to_write() -> None:
    plain = Time(column=("at",))
    assert 'time: {format: "%d/%m/%Y %H:%M"}' in expected(plain, "03/04/2026")
    assert 'time: {format: "epoch_s"}' in expected(plain, "1768039200")
    assert 'time: {format: "epoch_ms"}' in expected(plain, "1768039200000")
    assert expected(Time(column=("at",), format="%d.%m.%Y"), "x") == "expected %d.%m.%Y"


def test_days_of_the_mapping_are_whole_days_of_its_zone() -> None:
    time = Time(column=("at",), zone="Europe/Berlin", not_before="2026-01-10", not_after="2026-01-10")
    begin, end = bounds_of(time) or (0, 0)
    assert begin == TEN - 11 * 3_600_000
    assert end - begin == 86_400_000
    assert bounds_of(Time(column=("at",))) is None
