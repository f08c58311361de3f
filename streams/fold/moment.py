"""What a rule of the fold knows of where it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.refusal import Refusal
from streams.profiles.moment import Moment

if TYPE_CHECKING:
    from streams.fold.partition_state import Knowledge
    from streams.profiles.effects import Effects


class FoldMoment(Moment):
    """A moment, and what the customer's partition knows at that time."""

    __slots__ = ("known",)

    def __init__(self, customer: str, now_ms: int, cause: str, known: Knowledge, effects: Effects) -> None:
        super().__init__(customer, now_ms, cause, known.settings, effects)
        self.known: Final = known
        self.rules = known.rules
        self.first_event_ms = known.first_event_ms

    def linked_ms(self, event_ms: int) -> int:  # noqa: ARG002 - of a later moment it is the event's
        """Return the time of the link of a device that an event shows."""
        return self.now_ms


class LaterMoment(FoldMoment):
    """The moment at which an import brings what was so long before."""

    __slots__ = ()

    def linked_ms(self, event_ms: int) -> int:
        """Return the event's time, so that a logout since then holds."""
        return min(event_ms, self.now_ms)


class Rejected(Refusal):
    """The record cannot be folded."""
