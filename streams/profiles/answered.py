"""Which channels a customer answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANNEL_OF = {"email_opened": "email", "email_clicked": "email", "sms_clicked": "sms", "push_opened": "push"}
"""The channel of each type of touchpoint that is an answer."""


CONSENT_CHANNELS = frozenset({"email", "sms", "push", "all"})
"""The channels about which a statement of consent can be."""


def united_answered(answers: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return the last answer of each channel, by channel."""
    last: dict[str, int] = {}
    for channel, time_ms in answers:
        last[channel] = max(time_ms, last.get(channel, time_ms))
    return tuple(sorted(last.items()))
