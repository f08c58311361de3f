"""Conditions compiled to closures when a flow is published, not at each event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.flows.language.attribute_compiling import compile_attribute
from streams.flows.language.conditions import AgeIs, All, AnyOf, CountIs, Not, NumberIs, TextIs
from streams.flows.language.fields import (
    AGES,
    COUNTS,
    EVENT_NUMBERS,
    EVENT_TEXTS,
    NUMBERS,
    PROPERTY,
    TEXTS,
    TRAIT,
    attribute_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.conditions import Condition
    from streams.profiles.profile import Profile

    Holds = Callable[[Profile, Touchpoint | None, int], bool]
    """(profile, event or None at a timer, now_ms)."""


def compile_condition(condition: Condition, zone: str = "UTC") -> Holds:
    """Return a closure that says whether the condition holds; `zone` is for customers whose zone is unknown."""
    match condition:
        case NumberIs():
            return _number(condition)
        case CountIs():
            return _count(condition)
        case AgeIs():
            return _age(condition)
        case TextIs():
            return _text(condition)
        case All() | AnyOf() | Not():
            return _joined(condition, zone)
    return compile_attribute(condition, zone)


def _joined(condition: All | AnyOf | Not, zone: str) -> Holds:
    if isinstance(condition, Not):
        negated = compile_condition(condition.negated, zone)
        return lambda profile, event, now_ms: not negated(profile, event, now_ms)
    if isinstance(condition, All):
        every = [compile_condition(part, zone) for part in condition.all]
        return lambda profile, event, now_ms: all(holds(profile, event, now_ms) for holds in every)
    some = [compile_condition(part, zone) for part in condition.any]
    return lambda profile, event, now_ms: any(holds(profile, event, now_ms) for holds in some)


def _bounds(at_least: int | None, at_most: int | None) -> Callable[[int], bool]:
    return lambda figure: (at_least is None or figure >= at_least) and (at_most is None or figure <= at_most)


def _number(condition: NumberIs) -> Holds:
    field, within = condition.field, _bounds(condition.at_least, condition.at_most)
    of_event: dict[Any, Callable[[Profile, Touchpoint], int | None]] = {**EVENT_NUMBERS}
    if field in of_event:
        ask = of_event[field]

        def holds(profile: Profile, event: Touchpoint | None, _now_ms: int) -> bool:
            figure = None if event is None else ask(profile, event)
            return figure is not None and within(figure)

        return holds
    of_profile: dict[Any, Callable[[Profile], int]] = {**NUMBERS}
    read = of_profile[field]
    return lambda profile, _event, _now_ms: within(read(profile))


def _count(condition: CountIs) -> Holds:
    count, within_ms, category = COUNTS[condition.field], condition.within_ms, condition.category
    within = _bounds(condition.at_least, condition.at_most)
    return lambda profile, _event, now_ms: within(count(profile, now_ms, within_ms, category))


def _age(condition: AgeIs) -> Holds:
    read, within = AGES[condition.field], _bounds(condition.at_least_ms, condition.at_most_ms)

    def holds(profile: Profile, _event: Touchpoint | None, now_ms: int) -> bool:
        since_ms = read(profile)
        return since_ms is not None and within(now_ms - since_ms)

    return holds


def _text(condition: TextIs) -> Holds:
    field, allowed = condition.field, frozenset(condition.one_of)
    of_profile: dict[Any, Callable[[Profile], str]] = {**TEXTS}
    if field in of_profile:
        read = of_profile[field]
        return lambda profile, _event, _now_ms: read(profile) in allowed
    if field.startswith((PROPERTY, TRAIT)):
        return lambda profile, event, _now_ms: attribute_of(field, profile, event) in allowed
    of_event: dict[Any, Callable[[Touchpoint], Any]] = {**EVENT_TEXTS}
    ask = of_event[field]
    return lambda _profile, event, _now_ms: event is not None and not allowed.isdisjoint(ask(event))
