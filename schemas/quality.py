"""Settings for the quality of what comes in: what is no silence."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_EPOCH: Final = date(1970, 1, 1)
_LEAP: Final = "2000-"
"""A year in which each day of a year exists."""
_DAY_CHARS: Final = 5


def _day(text: str) -> str:
    try:
        date.fromisoformat(_LEAP + text if len(text) == _DAY_CHARS else text)
    except ValueError:
        raise ValueError(f"{text!r} is no day: write one such as 2026-12-24, or 12-24 for each year") from None
    return text


class QualitySettings(BaseModel):
    """When a source may be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    closing_days: tuple[Annotated[str, AfterValidator(_day)], ...] = Field((), max_length=1_000)
    """Days on which the shop is closed, in its time zone: 2026-12-24, or 12-24 for each year. Nothing is due then."""
    unwatched: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field((), max_length=200)
    """Sources whose silence and fields raise no alert, such as one that is about to be switched off."""

    def is_closed(self, day: int) -> bool:
        """Return whether the shop is closed on a day, a number of days since 1970."""
        if not self.closing_days:
            return False
        text = (_EPOCH + timedelta(days=day)).isoformat()
        return text in self._closed or text[_DAY_CHARS:] in self._closed

    @cached_property
    def _closed(self) -> frozenset[str]:
        return frozenset(self.closing_days)
