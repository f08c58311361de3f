"""What a door makes of a record that is not canonical, before the catalogue of attributes is applied."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a compiled class reads its annotations
from typing import Any, NamedTuple

from schemas.touchpoint import Touchpoint  # noqa: TC001


class Arrived(NamedTuple):
    """A touchpoint, and what came with it. Values are those of a JSON document: the catalogue gives them types."""

    touchpoint: Touchpoint
    """Without attributes but those that a type reads. Of type custom, with a name, where no canonical type fits."""
    properties: Mapping[str, Any]
    """All properties of the event, by the producer's names."""
    traits: Mapping[str, Any]
    """All attributes of the customer, by the producer's names."""
