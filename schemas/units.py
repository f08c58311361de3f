"""Lengths of time in milliseconds, and how a time is shown to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 604_800_000


def iso_time(time_ms: int) -> str:
    """Show a time in UTC to the second, as 2026-03-02T10:00:00+00:00."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def shown_time(time_ms: int | None) -> str:
    """Show a time in UTC to the minute, as 2026-03-02 10:00 UTC; None is never."""
    return "never" if time_ms is None else f"{iso_time(time_ms)[:16].replace('T', ' ')} UTC"
