"""Which channels a customer answers to, and since when they answer nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.orders import last_order_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.profile import Profile

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


def last_answer_ms(profile: Profile) -> int:
    """Return the time of the last open, click or order; 0: there is none."""
    return max([last_order_ms(profile) or 0, *[time_ms for _, time_ms in profile.answered]])


def united_unanswered(one: Profile, other: Profile) -> tuple[int, int]:
    """Return the messages that left both logs without an answer in either profile, and the time of the last."""
    answered_ms = max(last_answer_ms(one), last_answer_ms(other))
    open_ = [each for each in (one.unanswered, other.unanswered) if each[1] > answered_ms]
    return sum([count for count, _ in open_]), max([last_ms for _, last_ms in open_], default=0)
