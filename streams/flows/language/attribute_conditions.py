"""Conditions on attributes of the catalogue: traits of the customer, and properties of the event of the entry.

Each says of what type the attribute is, so a flow can be compiled without the catalogue. Lint and publication compare
the types. An attribute that is missing, or is not of that type, meets none of them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from streams.flows.language.durations import Duration
from streams.flows.language.fields import PROPERTY, TRAIT
from streams.flows.language.part import Part, check_bounds

ATTRIBUTE_PATTERN: Final = rf"^({re.escape(TRAIT)}|{re.escape(PROPERTY)})[A-Za-z0-9_.-]{{1,60}}$"
AttributeField: TypeAlias = Annotated[str, Field(pattern=ATTRIBUTE_PATTERN)]
_NUMBER_MAX: Final = 10**18


def _is_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _NUMBER_MAX:
        raise ValueError("write a number, such as 500 or 4.5")
    return value


Number: TypeAlias = Annotated[int | float, BeforeValidator(_is_number, json_schema_input_type=float)]


class AttributeNumberIs(Part):
    """An attribute that is a number is within bounds."""

    field: AttributeField
    """The attribute: traits.NAME or event.properties.NAME."""
    above: Number | None = None
    """The condition holds for greater numbers only."""
    below: Number | None = None
    """The condition holds for smaller numbers only."""
    at_least: Number | None = None
    """The lowest number for which the condition holds."""
    at_most: Number | None = None
    """The highest number for which the condition holds."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> AttributeNumberIs:
        if self.above is not None and self.at_least is not None:
            raise ValueError("above and at_least are both given; give only one")
        if self.below is not None and self.at_most is not None:
            raise ValueError("below and at_most are both given; give only one")
        low = self.above if self.at_least is None else self.at_least
        high = self.below if self.at_most is None else self.at_most
        if low is None and high is None:
            raise ValueError("a condition on a number needs at_least, at_most, above or below")
        if low is not None and high is not None and (low > high or (low == high and self._is_open())):
            raise ValueError("the lower bound is above the upper one: no number can meet both")
        return self

    def _is_open(self) -> bool:
        return self.above is not None or self.below is not None

    def holds(self, number: Decimal) -> bool:
        """Return whether a number is within the bounds."""
        return (
            (self.above is None or number > _exact(self.above))
            and (self.below is None or number < _exact(self.below))
            and (self.at_least is None or number >= _exact(self.at_least))
            and (self.at_most is None or number <= _exact(self.at_most))
        )


@lru_cache(maxsize=1_024)
def _exact(number: float) -> Decimal:
    """Return the decimal that the file shows."""
    return Decimal(str(number))


class FlagIs(Part):
    """An attribute that is a flag is true, or false."""

    field: AttributeField
    """The attribute: traits.NAME or event.properties.NAME."""
    flag: bool = Field(alias="is", strict=True)
    """The value that the flag must have."""


class ListHas(Part):
    """An attribute that is a list contains one of these texts."""

    field: AttributeField
    """The attribute: traits.NAME or event.properties.NAME."""
    contains: tuple[str, ...] = Field(min_length=1, max_length=1_000)
    """The texts of which one must be in the list."""


class IsKnown(Part):
    """An attribute is there, whatever its value is, or is not there."""

    field: AttributeField
    """The attribute: traits.NAME or event.properties.NAME."""
    known: bool = Field(strict=True)
    """Whether it must be there."""


class DateIs(Part):
    """An attribute that is a date was so long ago, comes so soon, or is today where the customer is."""

    field: AttributeField
    """The attribute: traits.NAME or event.properties.NAME."""
    at_least_ms: Duration | None = Field(default=None, alias="at_least")
    """The date is at least this long ago."""
    at_most_ms: Duration | None = Field(default=None, alias="at_most")
    """The date is past, and at most this long ago."""
    within_next_ms: Duration | None = Field(default=None, alias="within_next")
    """The date is today, or comes within this time."""
    today: Literal[True] | None = None
    """The date is today."""
    yearly: bool = Field(default=False, strict=True)
    """Only with within_next and today: its day counts in every year, as that of a birthday."""

    @model_validator(mode="after")
    def _is_one(self) -> DateIs:
        ages = self.at_least_ms is not None or self.at_most_ms is not None
        if sum((ages, self.within_next_ms is not None, self.today is not None)) != 1:
            raise ValueError("a condition on a date needs at_least and at_most, within_next, or today")
        if ages:
            check_bounds(self.at_least_ms, self.at_most_ms)
            if self.yearly:
                raise ValueError("yearly is for within_next and today")
        return self


AttributeIs: TypeAlias = AttributeNumberIs | FlagIs | ListHas | IsKnown | DateIs
ATTRIBUTE_KINDS: Final[dict[str, type[Part]]] = {
    kind.__name__: kind for kind in (AttributeNumberIs, FlagIs, ListHas, IsKnown, DateIs)
}
TYPES: Final[dict[str, str]] = {"AttributeNumberIs": "number", "FlagIs": "flag", "ListHas": "list", "DateIs": "date"}
"""The type of attribute that each kind needs; the others take any."""
_DATE_FIELDS: Final = frozenset({"within_next", "today", "yearly"})
_NUMBER_FIELDS: Final = frozenset({"above", "below"})
_BOUNDS: Final = frozenset({"at_least", "at_most"})


def kind_of_attribute(value: dict[str, Any]) -> str:
    """Return the kind of a condition on an attribute, by the fields that it gives."""
    if "is" in value:
        return "FlagIs" if isinstance(value["is"], bool) else "TextIs"
    if "contains" in value:
        return "ListHas"
    if "known" in value:
        return "IsKnown"
    if _NUMBER_FIELDS & value.keys():
        return "AttributeNumberIs"
    bounds = [value[name] for name in _BOUNDS & value.keys()]
    if _DATE_FIELDS & value.keys() or any(isinstance(bound, str) for bound in bounds):
        return "DateIs"
    return "AttributeNumberIs" if bounds else "TextIs"
