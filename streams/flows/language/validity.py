"""The period in which a flow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime, Field, model_validator

from streams.flows.language.part import Part

if TYPE_CHECKING:
    from datetime import datetime

NEVER_MS: Final = 1 << 62


class Validity(Part):
    """The period in which customers may enter and messages may go out."""

    from_time: AwareDatetime | None = Field(default=None, alias="from")
    """First moment of the period, with its offset from UTC."""
    to_time: AwareDatetime | None = Field(default=None, alias="to")
    """First moment after the period, with its offset from UTC."""

    @model_validator(mode="after")
    def _is_a_period(self) -> Validity:
        if self.from_time is None and self.to_time is None:
            raise ValueError("a period of validity needs from, to or both")
        if self.from_time is not None and self.to_time is not None and self.from_time >= self.to_time:
            raise ValueError("from is not before to, so the flow would never be valid")
        return self

    def holds(self, now_ms: int) -> bool:
        """Return whether a time is within the period."""
        return _ms(self.from_time, 0) <= now_ms < _ms(self.to_time, NEVER_MS)


def _ms(time: datetime | None, default: int) -> int:
    return default if time is None else round(time.timestamp() * 1000)
