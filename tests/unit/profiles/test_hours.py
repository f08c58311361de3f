"""At which hour a customer answers to messages."""

from __future__ import annotations

from streams.profiles.hours import best_minute, united_hours, with_hour


def test_a_customer_who_has_answered_little_is_near_the_hour_of_all() -> None:
    assert [best_minute((), hour) for hour in (0, 10, 23)] == [0, 600, 1380]
    once = best_minute(with_hour((), 14), 10)
    often = best_minute(tuple(100 * (hour == 14) for hour in range(24)), 10)
    assert 600 < once < 700 < often <= 870


def test_hours_on_both_sides_of_midnight_have_their_mean_at_night() -> None:
    hours = tuple(50 * (hour in {22, 1}) for hour in range(24))
    assert abs(best_minute(hours, 0) - 0) <= 15


def test_answers_of_two_profiles_add_up() -> None:
    one, other = with_hour((), 3), with_hour(with_hour((), 3), 4)
    assert united_hours(one, other) == united_hours(other, one)
    assert united_hours(one, other)[3:5] == (2, 1)
    assert united_hours((), one) == one
