"""What a rule knows of where it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.journal import RULES

if TYPE_CHECKING:
    from streams.profiles.effects import Effects
    from streams.settings import DomainSettings


class Moment:
    """One customer at one instant of the customer's clock, and where a rule's effects go.

    A plain class, for the compiled wheel: an attribute of it costs 30 instructions there, one of a Struct 199.
    """

    __slots__ = ("cause", "customer", "effects", "first_event_ms", "now_ms", "rules", "settings")

    def __init__(self, customer: str, now_ms: int, cause: str, settings: DomainSettings, effects: Effects) -> None:
        self.customer: Final = customer
        self.now_ms: Final = now_ms
        self.cause: Final = cause
        """event_id, or timer:<name>:<due_ms>."""
        self.settings: Final = settings
        self.effects: Final = effects
        self.rules: int = RULES
        """Number of the rules that hold: the partition's where it is known, else the newest."""
        self.first_event_ms: int = 0
        """Where the shop's history begins, by event time; 0: unknown."""
