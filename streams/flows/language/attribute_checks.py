"""Attributes that flows name, beside the catalogue: those that it lacks, and conditions on another type."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from streams.attributes import CUSTOMER, EVENT, names_of
from streams.flows.language.attribute_conditions import TYPES
from streams.flows.language.conditions import TextIs, leaves
from streams.flows.language.documents import listed
from streams.flows.language.fields import LANGUAGE, PROPERTY, TRAIT
from streams.flows.language.mistakes import FlowError
from streams.flows.language.steps import BranchStep, WaitForDateStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.attributes import Attribute
    from streams.flows.language.conditions import Condition, Leaf
    from streams.flows.language.flow import Flow

_NAMED_MAX = 10
"""Names of the catalogue that a message lists where none is near."""


def check_attributes(flow: Flow, attributes: Mapping[str, Attribute], where: str) -> None:
    """Check that the catalogue has the attributes that a flow names, with the types of its conditions.

    Raises:
        FlowError: it lacks one, or has it with another type; the message names the place and what is allowed.
    """
    wrong = list(mistakes(flow, attributes))
    if wrong:
        raise FlowError(listed(f"{where}: {each}" for each in wrong))


def mistakes(flow: Flow, attributes: Mapping[str, Attribute]) -> Iterator[str]:
    """Yield a sentence for each attribute that the catalogue lacks, or that has another type than a flow means."""
    for place, leaf in _leaves(flow):
        if isinstance(leaf, TextIs) and leaf.field == LANGUAGE:
            yield from _said(place, TRAIT + LANGUAGE, "text", attributes)
        elif leaf.field.startswith((TRAIT, PROPERTY)) and not _is_plain_property(leaf, attributes):
            yield from _said(place, leaf.field, _type_of(leaf), attributes)
    for place, field in _dates(flow):
        yield from _said(place, field, "date", attributes)
    for number, field in enumerate(flow.attributes):
        if field.startswith((TRAIT, PROPERTY)):
            yield from _said(f"attributes[{number}]", field, None, attributes)


def _is_plain_property(leaf: Leaf, attributes: Mapping[str, Attribute]) -> bool:
    """Return whether it may be a property of Avro touchpoints, which stay as they are, and not one that is misspelt."""
    name = leaf.field.removeprefix(PROPERTY)
    is_text_of_event = isinstance(leaf, TextIs) and leaf.field.startswith(PROPERTY)
    return is_text_of_event and name not in attributes and not _match(name, EVENT, attributes)


def _type_of(leaf: Leaf) -> str | None:
    return "text" if isinstance(leaf, TextIs) else TYPES.get(type(leaf).__name__)


def _leaves(flow: Flow) -> Iterator[tuple[str, Leaf]]:
    conditions: list[tuple[str, Condition | None]] = [
        ("entry.condition", flow.entry.condition),
        ("needs.condition", flow.needs.condition),
    ]
    conditions += [
        (f"steps[{number}].if", step.condition)
        for number, step in enumerate(flow.steps)
        if isinstance(step, BranchStep)
    ]
    for place, condition in conditions:
        for leaf in leaves(condition) if condition is not None else ():
            yield place, leaf


def _dates(flow: Flow) -> Iterator[tuple[str, str]]:
    if flow.entry.date is not None and flow.entry.date.startswith(TRAIT):
        yield "entry.date", flow.entry.date
    for number, step in enumerate(flow.steps):
        if isinstance(step, WaitForDateStep) and step.field.startswith(TRAIT):
            yield f"steps[{number}].field", step.field


def _said(place: str, field: str, kind: str | None, attributes: Mapping[str, Attribute]) -> Iterator[str]:
    prefix, of = (TRAIT, CUSTOMER) if field.startswith(TRAIT) else (PROPERTY, EVENT)
    name = field.removeprefix(prefix)
    known = attributes.get(name)
    if known is None or not known.is_of(of):
        near = _near(name, of, attributes)
        yield f"{place} names {field}, but the catalogue of attributes has no {name} of the {of}; {near}"
    elif kind is not None and known.type != kind and not (kind == "text" and known.type == "number" and of == EVENT):
        yield f"{place} takes {field} for a {kind}, but the catalogue says {known.type}; {_ALLOWED[known.type]}"


def _near(name: str, place: str, attributes: Mapping[str, Attribute]) -> str:
    names, near = names_of(attributes, place), _match(name, place, attributes)
    if near:
        return f"did you mean {near[0]}?"
    if not names:
        return f"it has none of the {place}; add it to the setting attributes"
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return f"it has {', '.join(names[:_NAMED_MAX])}{more}"


def _match(name: str, place: str, attributes: Mapping[str, Attribute]) -> list[str]:
    return get_close_matches(name, names_of(attributes, place), 1)


_ALLOWED = {
    "text": "a text takes is: [..] or known",
    "number": "a number takes at_least, at_most, above, below or known",
    "flag": "a flag takes is: true, is: false or known",
    "list": "a list takes contains: [..] or known",
    "date": "a date takes at_least and at_most with durations, within_next, today or known",
}
