"""Caps: how many promotional messages a customer gets, and the log of messages that they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.profiles.profile import MESSAGES_MAX, Sent
from streams.settings import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from streams.flows.definition import Flow

LOG_MS = 30 * DAY_MS
WEEK_MS = 7 * DAY_MS


class Counted(NamedTuple):
    """Promotional messages in the rolling windows that end now; one a whole window ago is out of it."""

    channel: int
    """By the flow's channel, in its hours."""
    week: int
    """By any channel, in seven days."""


def counted(messages: tuple[Sent, ...], flow: Flow, now_ms: int) -> Counted:
    """What the flow's caps have to count."""
    promotional = [message for message in messages if message.is_promotional]
    after_ms = now_ms - flow.caps.per_channel_hours * HOUR_MS
    return Counted(
        sum(message.channel == flow.channel and message.time_ms > after_ms for message in promotional),
        sum(message.time_ms > now_ms - WEEK_MS for message in promotional),
    )


def cap_reached(count: Counted, flow: Flow) -> str | None:
    """A sentence that names the cap in the way of one more message; None: none is."""
    hours, week = flow.caps.per_channel_hours, flow.caps.per_week
    if hours and count.channel:
        return f"A promotional message went out by {flow.channel} in the last {hours} h; the cap is one."
    if count.week >= week:
        return f"{count.week} promotional messages went out in the last seven days; the cap is {week}."
    return None


def with_message(messages: tuple[Sent, ...], flow: Flow, now_ms: int) -> tuple[Sent, ...]:
    """The log with one more message; what is older than LOG_MS, or beyond MESSAGES_MAX, goes."""
    standing = tuple(message for message in messages if message.time_ms > now_ms - LOG_MS)
    return (*standing, Sent(now_ms, flow.channel, flow.id, flow.is_promotional))[-MESSAGES_MAX:]
