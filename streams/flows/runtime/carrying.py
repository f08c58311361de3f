"""The attributes that a message carries because its flow names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.attribute_limits import RUN_ATTRIBUTES_BYTES_MAX
from streams.flows.language.fields import PROPERTY, TRAIT, attribute_of
from streams.profiles.bounds import attributes_bytes

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.runtime.candidate import Candidate


def carried_of(event: Touchpoint, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return what messages carry of the event that enters their flow: the first values that a run has room for."""
    found: tuple[tuple[str, str], ...] = ()
    for name in names:
        text = event.properties.get(name.removeprefix(PROPERTY)) if name.startswith(PROPERTY) else event.name
        if text and attributes_bytes((*found, (name, text))) <= RUN_ATTRIBUTES_BYTES_MAX:
            found = (*found, (name, text))
    return found


def carried(candidate: Candidate) -> dict[str, str]:
    """Return what a message carries: of its event as the customer entered, of the customer as they are now."""
    names = candidate.plan.flow.attributes
    if not names:
        return {}
    of_event = dict(candidate.run.attributes)
    found = {
        name: attribute_of(name, candidate.profile, None) if name.startswith(TRAIT) else of_event.get(name)
        for name in names
    }
    return {name: text for name, text in found.items() if text is not None}
