"""What a flow relies on: touchpoints without which it goes wrong, and from where they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import Discriminator, Field, Tag

from streams.flows.language.events import FlowEvent
from streams.flows.language.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_SOURCE: Final = "*"
"""All sources together."""
FORMS: Final = ("list", "mapping")
"""Tags of the two ways to say it, which are no part of a path in a file."""
_LIST, _MAPPING = FORMS


class ReliesOn(Part):
    """Types of touchpoints from one source."""

    source: str = Field(default=ANY_SOURCE, min_length=1, max_length=512)
    """The source, as touchpoints name it. Without it, all sources together."""
    types: tuple[FlowEvent, ...] = Field(min_length=1)
    """The types."""


def _form(value: object) -> str:
    return _MAPPING if isinstance(value, (dict, ReliesOn)) else _LIST


Relying: TypeAlias = Annotated[
    Annotated[tuple[FlowEvent, ...], Tag(_LIST)] | Annotated[ReliesOn, Tag(_MAPPING)], Discriminator(_form)
]


def named_types(stated: tuple[str, ...] | ReliesOn) -> tuple[str, ...]:
    """Return the types that a file names."""
    return stated.types if isinstance(stated, ReliesOn) else stated


def relied_on(flow: Mapping[str, Any]) -> set[str]:
    """Return the same as Flow.relied_on, for a document."""
    stated = flow.get("relies_on", ())
    types = stated["types"] if isinstance(stated, dict) else stated
    return {*types, flow["goal"]["event"], flow["entry"].get("event")} - {None}


def holding_on(flow: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the source and the types whose silence holds the flow of a document; no types: none does."""
    if flow.get("on_silence") != "hold":
        return ANY_SOURCE, ()
    stated = flow.get("relies_on", ())
    if isinstance(stated, dict):
        return stated.get("source", ANY_SOURCE), tuple(sorted(stated["types"]))
    return ANY_SOURCE, tuple(sorted(relied_on(flow)))
