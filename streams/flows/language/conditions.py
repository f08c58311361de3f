"""Conditions: a small tree over the profile and the event, checked when a flow file is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from schemas.units import DAY_MS
from streams.flows.language.attribute_conditions import (
    ATTRIBUTE_KINDS,
    ATTRIBUTE_PATTERN,
    AttributeIs,
    AttributeNumberIs,
    DateIs,
    FlagIs,
    IsKnown,
    ListHas,
    kind_of_attribute,
)
from streams.flows.language.durations import Duration, duration_text
from streams.flows.language.fields import (
    KEPT_DAYS,
    KEPT_MOST,
    PROPERTY,
    SEGMENTS,
    STAGES,
    TRAIT,
    VIEWS,
    AgeField,
    CountField,
    EventNumberField,
    EventTextField,
    NumberField,
    TextField,
)
from streams.flows.language.part import Part, check_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS_ALLOWED = {"segment": SEGMENTS, "lifecycle": STAGES}
_TEXTS = (*get_args(TextField), *get_args(EventTextField))
_NUMBERS = (*get_args(NumberField), *get_args(EventNumberField))


class NumberIs(Part):
    """A number of the profile, or of the event that enters the flow, is within two bounds, both included."""

    field: NumberField | EventNumberField
    """The number to compare. The profile already includes the event."""
    at_least: int | None = None
    """The lowest number for which the condition holds."""
    at_most: int | None = None
    """The highest number for which the condition holds."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> NumberIs:
        check_bounds(self.at_least, self.at_most)
        return self


class CountIs(Part):
    """How often something happened in the time before now, as far back as the profile goes."""

    field: CountField
    """The kind of thing to count."""
    category: str | None = Field(default=None, min_length=1)
    """Only with views: count views of products in this category."""
    within_ms: Duration = Field(alias="within")
    """How far back to count."""
    at_least: int | None = None
    """The lowest count for which the condition holds."""
    at_most: int | None = None
    """The highest count for which the condition holds."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> CountIs:
        check_bounds(self.at_least, self.at_most)
        if (self.category is None) == (self.field == VIEWS):
            raise ValueError(f"{VIEWS} need a category, and no other field has one")
        kept_ms = KEPT_DAYS.get(self.field, 0) * DAY_MS
        if not self.within_ms or 0 < kept_ms < self.within_ms:
            upto = f" and at most {duration_text(kept_ms)}, because profiles keep no more" if kept_ms else ""
            raise ValueError(f"within must be above 0{upto}")
        most = KEPT_MOST.get(self.field)
        if most is not None and self.at_least is not None and self.at_least > most:
            raise ValueError(f"profiles keep at most {most}, so at_least is never reached")
        return self


class AgeIs(Part):
    """How long ago something happened. If it never happened, the condition does not hold."""

    field: AgeField
    """The event whose age counts."""
    at_least_ms: Duration | None = Field(default=None, alias="at_least")
    """The shortest time ago for which the condition holds."""
    at_most_ms: Duration | None = Field(default=None, alias="at_most")
    """The longest time ago for which the condition holds."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> AgeIs:
        check_bounds(self.at_least_ms, self.at_most_ms)
        return self


class TextIs(Part):
    """A text of the profile, or of the event that enters the flow, is one of these."""

    field: Annotated[str, Field(pattern=rf"^({'|'.join(map(re.escape, _TEXTS))})$|{ATTRIBUTE_PATTERN}")]
    """The text to compare. If the event has several products, one match is enough."""
    one_of: tuple[str, ...] = Field(alias="is", min_length=1)
    """The texts for which the condition holds."""

    @model_validator(mode="after")
    def _can_be(self) -> TextIs:
        allowed = _TEXTS_ALLOWED.get(self.field)
        for text in self.one_of:
            if allowed is not None and text not in allowed:
                raise ValueError(f"{self.field} is never {text!r}; use one of {', '.join(allowed)}")
        return self


class All(Part):
    """All of these conditions hold."""

    all: tuple[Condition, ...] = Field(min_length=1)
    """The conditions that must all hold."""


class AnyOf(Part):
    """At least one of these conditions holds."""

    any: tuple[Condition, ...] = Field(min_length=1)
    """The conditions of which one must hold."""


class Not(Part):
    """This condition does not hold."""

    negated: Condition = Field(alias="not")
    """The condition that must not hold."""


Leaf: TypeAlias = NumberIs | CountIs | AgeIs | TextIs | AttributeIs


def _kind_of(value: Any) -> str | None:  # noqa: ANN401 - a part of the file, or one already read
    if not isinstance(value, dict):
        return type(value).__name__ if isinstance(value, Part) else None
    joined = [kind for name, kind in (("all", "All"), ("any", "AnyOf"), ("not", "Not")) if name in value]
    if joined:
        return joined[0]
    field = value.get("field")
    return kind_of_attribute(value) if str(field).startswith((TRAIT, PROPERTY)) else _kind_of_field(field, value)


def _kind_of_field(field: Any, value: dict[str, Any]) -> str | None:  # noqa: ANN401 - a part of the file
    if field in get_args(CountField) and ("within" in value or field not in _NUMBERS):
        return "CountIs"
    if field in _NUMBERS:
        return "NumberIs"
    if field in get_args(AgeField):
        return "AgeIs"
    return "TextIs" if field in _TEXTS else None


_FIELDS = sorted({*_NUMBERS, *get_args(CountField), *get_args(AgeField), *_TEXTS, f"{PROPERTY}NAME", f"{TRAIT}NAME"})
Condition: TypeAlias = Annotated[
    Annotated[All, Tag("All")]
    | Annotated[AnyOf, Tag("AnyOf")]
    | Annotated[Not, Tag("Not")]
    | Annotated[NumberIs, Tag("NumberIs")]
    | Annotated[CountIs, Tag("CountIs")]
    | Annotated[AgeIs, Tag("AgeIs")]
    | Annotated[TextIs, Tag("TextIs")]
    | Annotated[AttributeNumberIs, Tag("AttributeNumberIs")]
    | Annotated[FlagIs, Tag("FlagIs")]
    | Annotated[ListHas, Tag("ListHas")]
    | Annotated[IsKnown, Tag("IsKnown")]
    | Annotated[DateIs, Tag("DateIs")],
    Discriminator(
        _kind_of,
        custom_error_type="no_condition",
        custom_error_message="a condition needs all, any, not, or one of these fields: " + ", ".join(_FIELDS),
    ),
]
for _joined in (All, AnyOf, Not):
    _joined.model_rebuild()
CONDITIONS: dict[str, type[Part]] = {
    kind.__name__: kind for kind in (All, AnyOf, Not, NumberIs, CountIs, AgeIs, TextIs)
} | ATTRIBUTE_KINDS
"""Conditions by the tag that an error's location has."""


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the leaves of the tree, from left to right."""
    match condition:
        case All(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from leaves(part)
        case Not(negated=part):
            yield from leaves(part)
        case _:
            yield condition


def required(condition: Condition | None) -> list[Condition]:
    """Return the parts of a condition that must hold in any case."""
    if isinstance(condition, All):
        return [part for each in condition.all for part in required(each)]
    return [] if condition is None else [condition]


def check_of_profile(condition: Condition | None) -> Condition | None:
    """Return a condition for use without an event; ValueError if it needs one, as only the profile is known."""
    for leaf in leaves(condition) if condition is not None else ():
        if leaf.field.startswith("event."):
            raise ValueError(f"{leaf.field} needs an event; use it only in the condition of an entry by an event")
    return condition
