"""The catalogue of attributes: which properties of events and which traits of customers are kept, and of what type.

It is a setting that decides, so it is in the journal. The door applies it, and the outcome is in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.attribute_limits import (
    ATTRIBUTE_NAME_MAX,
    ATTRIBUTE_NAMES_BYTES_MAX,
    ATTRIBUTES_OF_EVENTS_MAX,
    TRAITS_MAX,
)
from schemas.limits import TEXT_MAX
from schemas.touchpoint import BOUNCE_TYPE, COMPLAINT, LINES_LEFT_OUT, PREVIOUS_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

AttributeType: TypeAlias = Literal["text", "number", "date", "flag", "list"]
EVENT: Literal["event"] = "event"
CUSTOMER: Literal["customer"] = "customer"
BOTH: Literal["both"] = "both"

RESERVED = frozenset({BOUNCE_TYPE, COMPLAINT, LINES_LEFT_OUT, PREVIOUS_ID, "refund", "email", "phone", "agent"})
"""Properties that the product reads or writes itself, and plain addresses, which have fields of their own."""


class Attribute(BaseModel):
    """An attribute that is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: AttributeType
    """How its values are read and compared."""
    of: Literal["event", "customer", "both"] = BOTH
    """Whether it is a property of events, a trait of customers, or both, each with a value of its own."""
    names: tuple[Annotated[str, Field(min_length=1, max_length=TEXT_MAX)], ...] = Field((), max_length=10)
    """Further names that sources use for it, such as address.zip for a value within another one."""

    def is_of(self, place: str) -> bool:
        """Return whether it is an attribute of events or of customers."""
        return self.of in {BOTH, place}


class Named(NamedTuple):
    """The attribute that a source means by a name."""

    name: str
    type: AttributeType
    rank: int
    """Of several names that came, the one with the least rank is taken."""


class Names(NamedTuple):
    """The attributes of one place by the names of their sources."""

    sources: dict[str, Named]
    roots: frozenset[str]
    """Beginnings of dotted names, without the dot behind: only within these a source's value is looked into."""


class Tables(NamedTuple):
    """A catalogue, ready for look-ups."""

    of_events: Names
    of_customers: Names


def tables_of(attributes: Mapping[str, Attribute]) -> Tables:
    """Return the look-ups of a catalogue; those of the last one are kept."""
    for known, tables in _latest:
        if known is attributes:
            return tables
    tables = Tables(_names(attributes, EVENT), _names(attributes, CUSTOMER))
    _latest[:] = [(attributes, tables)]
    return tables


_latest: list[tuple[Mapping[str, Attribute], Tables]] = []


def _names(attributes: Mapping[str, Attribute], place: str) -> Names:
    sources = {
        source: Named(name, attribute.type, rank)
        for name, attribute in attributes.items()
        if attribute.is_of(place)
        for rank, source in enumerate((name, *attribute.names))
    }
    roots = {
        source[:at] for source in sources for at in range(1, len(source)) if source[at] == "." and source[:at] != ""
    }
    return Names(sources, frozenset(roots))


def _checked(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    reserved = sorted(RESERVED.intersection(attributes))
    if reserved:
        raise ValueError(f"{reserved[0]} is a name of touchstream's own; give the attribute another one")
    for place, most in ((EVENT, ATTRIBUTES_OF_EVENTS_MAX), (CUSTOMER, TRAITS_MAX)):
        own = {name: each for name, each in attributes.items() if each.is_of(place)}
        if len(own) > most:
            raise ValueError(f"{len(own)} attributes are of the {place}; at most {most} are allowed")
        _check_sources(own, place)
    named = [source for name, each in attributes.items() for source in (name, *each.names)]
    size = sum(len(source.encode(errors="replace")) for source in named)
    if size > ATTRIBUTE_NAMES_BYTES_MAX:
        raise ValueError(f"the names have {size} bytes together; at most {ATTRIBUTE_NAMES_BYTES_MAX} are allowed")
    return attributes


def _check_sources(attributes: Mapping[str, Attribute], place: str) -> None:
    taken: dict[str, str] = {}
    for name, attribute in attributes.items():
        for source in (name, *attribute.names):
            if source in RESERVED:
                raise ValueError(f"{name} is read from {source}, a name of touchstream's own; use another one")
            if taken.setdefault(source, name) != name:
                raise ValueError(
                    f"{taken[source]} and {name} of the {place} are both read from {source}; only one may be"
                )


def names_of(attributes: Mapping[str, Attribute], place: str) -> list[str]:
    """Return the names of the attributes of events or of customers, sorted."""
    return sorted(name for name, attribute in attributes.items() if attribute.is_of(place))


AttributeName = Annotated[
    str, Field(pattern=rf"^[A-Za-z][A-Za-z0-9_-]{{0,{ATTRIBUTE_NAME_MAX - 1}}}(\.[A-Za-z0-9_-]+)*$")
]
Attributes: TypeAlias = Annotated[
    dict[Annotated[AttributeName, Field(max_length=ATTRIBUTE_NAME_MAX)], Attribute], AfterValidator(_checked)
]
