"""Conditions on attributes, compiled to closures."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from streams.flows.language.attribute_conditions import AttributeNumberIs, DateIs, FlagIs, ListHas
from streams.flows.language.fields import attribute_of
from streams.profiles.days import day_of, local_day, next_yearly_ms, time_of
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.attribute_conditions import AttributeIs
    from streams.profiles.profile import Profile

    Test = Callable[[str, ZoneInfo, int], bool]
    """(canonical text, where the customer is, now_ms)."""


def compile_attribute(condition: AttributeIs, zone: str) -> Callable[[Profile, Touchpoint | None, int], bool]:
    """Return a closure that says whether the condition holds; `zone` is for customers whose zone is unknown."""
    field = condition.field
    if isinstance(condition, AttributeNumberIs | FlagIs | ListHas | DateIs):
        test = _test_of(condition)

        def holds(profile: Profile, event: Touchpoint | None, now_ms: int) -> bool:
            text = attribute_of(field, profile, event)
            return text is not None and test(text, zone_of(profile.time_zone, zone), now_ms)

        return holds
    is_known = condition.known
    return lambda profile, event, _now_ms: (attribute_of(field, profile, event) is not None) == is_known


def _test_of(condition: AttributeNumberIs | FlagIs | ListHas | DateIs) -> Test:
    if isinstance(condition, AttributeNumberIs):
        return lambda text, _zone, _now_ms: (number := _number(text)) is not None and condition.holds(number)
    if isinstance(condition, FlagIs):
        wanted = "true" if condition.flag else "false"
        return lambda text, _zone, _now_ms: text == wanted
    if isinstance(condition, ListHas):
        wanted_texts = frozenset(condition.contains)
        return lambda text, _zone, _now_ms: not wanted_texts.isdisjoint(_texts(text))
    return _date_test(condition)


def _date_test(condition: DateIs) -> Test:
    next_ms, yearly = condition.within_next_ms, condition.yearly
    if condition.today is not None:
        return lambda text, zone, now_ms: _is_today(text, zone, now_ms, yearly=yearly)
    if next_ms is not None:

        def comes(text: str, zone: ZoneInfo, now_ms: int) -> bool:
            if _is_today(text, zone, now_ms, yearly=yearly):
                return True
            due_ms = next_yearly_ms(text, now_ms, zone) if yearly else time_of(text, zone)
            return due_ms is not None and now_ms <= due_ms <= now_ms + next_ms

        return comes
    at_least_ms, at_most_ms = condition.at_least_ms or 0, condition.at_most_ms

    def is_ago(text: str, zone: ZoneInfo, now_ms: int) -> bool:
        time_ms = time_of(text, zone)
        if time_ms is None:
            return False
        age_ms = now_ms - time_ms
        return age_ms >= at_least_ms and (at_most_ms is None or age_ms <= at_most_ms)

    return is_ago


def _is_today(text: str, zone: ZoneInfo, now_ms: int, *, yearly: bool) -> bool:
    if yearly:
        today = local_day(now_ms, zone)
        # the day of a leap day is another one in most years, which the next one from yesterday on knows
        due_ms = next_yearly_ms(text, now_ms - _A_DAY_MS, zone)
        return due_ms is not None and local_day(due_ms, zone) == today
    return day_of(text, zone) == local_day(now_ms, zone)


_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_A_DAY_MS = 25 * 3_600_000
"""A day on which clocks are set back."""


def _number(text: str) -> Decimal | None:
    """Return a number in canonical text; None: it is none. Properties of Avro may be any text."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _texts(text: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, RecursionError):
        return []
