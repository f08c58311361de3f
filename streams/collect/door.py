"""What a door is: it makes touchpoints of one document of a record that is JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from streams.collect.arrived import Arrived

CALLS_MAX: Final = 2_500
"""Documents of one record, as many as Segment allows in a batch. Each becomes a record of the journal."""
BATCH_CONTEXT_BYTES_MAX: Final = 4_096
"""Bytes of the context that a batch has for all of its calls, which then have 10 MB more together."""


class DoorSettings(NamedTuple):
    """What a door knows beside the document."""

    source: str
    """The system that sent it: the header `source`, else the door's name."""
    currency: str
    """The shop's own, for amounts without one."""
    logouts: frozenset[str] = frozenset()
    """Folded names of the events by which people log out, of this source."""
    received_ms: int | None = None
    """When it was received, where the document does not say so; None: nobody knows."""
    is_server: bool = False
    """Whether the source has a right clock."""


Door = Callable[[Any, DoorSettings], list[Arrived]]
"""Makes touchpoints of one document, each with what came with it. It raises RefusedRecord, with the field's name."""
