"""Durations as people write them in flow files."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator, Field

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


def parse_duration(value: object) -> int:
    """Return the milliseconds of a text such as 30m, 2h or 7d."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a whole number and a unit (s, m, h or d), such as 30m, 2h or 7d")
    return int(match[1]) * _UNITS_MS[match[2]]


@lru_cache(maxsize=256)
def duration_text(duration_ms: int) -> str:
    """Return the shortest text that parse_duration reads as this many milliseconds, in whole seconds."""
    unit = next(unit for unit in "dhms" if duration_ms % _UNITS_MS[unit] == 0)
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


PATTERN = f"^{_DURATION.pattern}$"
Duration = Annotated[
    int, BeforeValidator(parse_duration, json_schema_input_type=Annotated[str, Field(pattern=PATTERN)])
]

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def parse_clock(value: object) -> int:
    """Return the minutes since midnight of a text such as 08:30."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a time of day from 00:00 to 23:59, such as 08:30")
    return int(match[1]) * 60 + int(match[2])


Clock = Annotated[
    int, BeforeValidator(parse_clock, json_schema_input_type=Annotated[str, Field(pattern=f"^{_CLOCK.pattern}$")])
]
"""Minutes since midnight."""
