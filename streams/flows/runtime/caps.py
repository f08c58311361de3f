"""Limits on promotional messages to one customer, and the log of messages that they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.flows.language.durations import duration_text
from streams.flows.language.flow import LOG_MS
from streams.flows.language.validity import NEVER_MS
from streams.profiles.answered import last_answer_ms
from streams.profiles.effects import hash_64
from streams.profiles.profile import MESSAGES_MAX, Sent
from streams.profiles.statement import EMAIL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.flows.language.flow import Caps, Flow
    from streams.flows.runtime.candidate import Candidate
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings

_replace = msgspec.structs.replace
_UNENGAGED_MS = 90 * DAY_MS


class Counted(NamedTuple):
    """Numbers of promotional messages in the rolling windows that end now, each without its first instant."""

    channel: int
    """By this channel, in the flow's `per_channel_hours`."""
    week: int
    """By any channel, in seven days."""


def caps_of(profile: Profile, flow: Flow, now_ms: int, settings: DomainSettings) -> Caps:
    """Return the flow's caps, with `unengaged_per_week` messages a week if that is less and the customer is unengaged.

    A customer is unengaged if they have been known for 90 days and answered nothing in them.
    """
    caps, week = flow.caps, settings.unengaged_per_week
    if week is None or week >= caps.per_week or not profile.first_ms:
        return caps
    since_ms = max([profile.first_ms, *[time_ms for _, time_ms in profile.answered]])
    return caps if since_ms > now_ms - _UNENGAGED_MS else caps.model_copy(update={"per_week": week})


def counted(promotional: Sequence[Sent], caps: Caps, channel: str, now_ms: int) -> Counted:
    """Count the messages that the caps of the flow limit."""
    after_ms = now_ms - caps.per_channel_hours * HOUR_MS
    return Counted(
        _count(promotional, channel, after_ms),
        _count(promotional, None, now_ms - WEEK_MS),
    )


def cap_reached(promotional: Sequence[Sent], count: Counted, caps: Caps, channel: str, now_ms: int) -> str | None:
    """Return a sentence that names the cap which forbids one more message; None: no cap does."""
    hours, week = caps.per_channel_hours, caps.per_week
    if hours and count.channel:
        return _limit_reached(f" by {channel}", 1, f"{hours} h", count.channel)
    if count.week >= week:
        return _limit_reached("", week, "seven days", count.week)
    for cap in caps.rolling:
        if cap.channel in {None, channel}:
            found = _count(promotional, cap.channel, now_ms - cap.within_ms)
            if found >= cap.messages:
                by = f" by {cap.channel}" if cap.channel else ""
                return _limit_reached(by, cap.messages, duration_text(cap.within_ms), found)
    return None


def _limit_reached(by: str, limit: int, within: str, found: int) -> str:
    limit_is = f"The limit for promotional messages{by} is {limit} in {within}"
    return f"{limit_is}, and {found} went out, so this one was not sent."


def free_ms(promotional: Sequence[Sent], caps: Caps, channel: str, now_ms: int) -> int:
    """Return from when on every cap allows one more message, if no other goes out until then."""
    windows: list[tuple[str | None, int, int]] = [
        (None, caps.per_week, WEEK_MS),
        *((cap.channel, cap.messages, cap.within_ms) for cap in caps.rolling),
    ]
    if caps.per_channel_hours:
        windows.append((channel, 1, caps.per_channel_hours * HOUR_MS))
    free = now_ms
    for of_channel, messages, within_ms in windows:
        if of_channel in {None, channel}:
            times = sorted(one.time_ms for one in promotional if of_channel is None or one.channel == of_channel)
            if messages <= len(times):
                free = max(free, times[-messages] + within_ms if messages else NEVER_MS)
    return free


def _count(messages: Iterable[Sent], channel: str | None, after_ms: int) -> int:
    return len([one for one in messages if one.time_ms > after_ms and (channel is None or one.channel == channel)])


def unanswered(profile: Profile, at: Moment) -> int:
    """Count the promotional messages since the customer's last open, click or order.

    Those that have left the log count too; before rules 3 only those of the last LOG_MS do.
    """
    answered_ms = last_answer_ms(profile)
    if at.rules < RULES_3:
        answered_ms = max(at.now_ms - LOG_MS, answered_ms)
    left, last_ms = profile.unanswered
    logged = sum(sent.is_promotional and sent.time_ms > answered_ms for sent in profile.messages)
    return logged + (left if last_ms > answered_ms else 0)


def with_message(candidate: Candidate, channel: str, goes_ms: int, at: Moment) -> Profile:
    """Return the profile with one more message in the log, without those older than LOG_MS or beyond MESSAGES_MAX."""
    profile, flow = candidate.profile, candidate.plan.flow
    candidate_id, address_hash = "", 0
    if at.rules >= RULES_4:
        candidate_id = candidate.run.candidate_id
        if channel == EMAIL and profile.email_hash is not None:
            address_hash = hash_64(profile.email_hash)
    before = profile.messages
    recent = [message for message in before if message.time_ms > goes_ms - LOG_MS]
    sent = Sent(goes_ms, channel, flow.id, flow.is_promotional, candidate_id, address_hash)
    messages = (*recent, sent)[-MESSAGES_MAX:]
    left = profile.unanswered
    if at.rules >= RULES_3 and len(messages) <= len(before):
        left = _left(profile, frozenset(messages))
    return _replace(profile, messages=messages, unanswered=left)


def _left(profile: Profile, kept: frozenset[Sent]) -> tuple[int, int]:
    """Return how many promotional messages without an answer are no longer in the log, and the time of the last."""
    answered_ms, (count, last_ms) = last_answer_ms(profile), profile.unanswered
    if last_ms <= answered_ms:
        count, last_ms = 0, 0
    for sent in profile.messages:
        if sent.is_promotional and sent.time_ms > answered_ms and sent not in kept:
            count, last_ms = count + 1, max(last_ms, sent.time_ms)
    return count, last_ms
