"""The weekly slot: an hour of the week (UTC, from Monday), by a hash of the customer, at which features are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.insights import PanelRow
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.profiles.effects import hash_64
from streams.profiles.orders import mean_gap_ms, window_sums

if TYPE_CHECKING:
    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings

HOURS_A_WEEK = 168
_FIRST_MONDAY_MS = 4 * DAY_MS  # 1970-01-05
_PPM = 1_000_000
_ANSWER_DAYS = 90
_HALF_LIFE_DAYS = 14


def next_slot_ms(customer: str, now_ms: int) -> int:
    """Return the customer's next slot, strictly after now_ms."""
    offset = _FIRST_MONDAY_MS + hash_64("slot\x1f" + customer) % HOURS_A_WEEK * HOUR_MS
    return now_ms + WEEK_MS - (now_ms - offset) % WEEK_MS


def is_on_panel(customer: str, share_ppm: int) -> bool:
    """Return whether the customer's hash is in the panel's share."""
    return hash_64("panel\x1f" + customer) % _PPM < share_ppm


def engagement(profile: Profile, now_ms: int) -> float:
    """Sum the opens and clicks of 90 days, each halved every 14 days, by whole days so that merging is exact."""
    today = now_ms // DAY_MS
    halved = (
        count * 0.5 ** ((today - day) / _HALF_LIFE_DAYS)
        for day, count in profile.answers
        if 0 <= today - day < _ANSWER_DAYS
    )
    return sum(halved, 0.0)


def with_answer(answers: tuple[tuple[int, int], ...], time_ms: int, now_ms: int) -> tuple[tuple[int, int], ...]:
    """Count an open or click on its day, and forget days older than 90."""
    oldest = now_ms // DAY_MS - _ANSWER_DAYS
    days = {day: count for day, count in answers if day > oldest}
    day = time_ms // DAY_MS
    if day > oldest:
        days[day] = days.get(day, 0) + 1
    return tuple(sorted(days.items()))


def recent_answers(answers: tuple[tuple[int, int], ...], now_ms: int) -> tuple[tuple[int, int], ...]:
    """Return the answers of the last 90 days."""
    oldest = now_ms // DAY_MS - _ANSWER_DAYS
    return tuple([each for each in answers if each[0] > oldest])


def panel_row(customer: str, profile: Profile, slot_ms: int, settings: DomainSettings) -> PanelRow | None:
    """Return the customer's features at the slot; None: they have no order that counts."""
    sums = window_sums(profile, slot_ms, settings.rfm_window_days * DAY_MS)
    if not sums.last_ms:
        return None
    return PanelRow(
        customer_hash=hash_64(customer),
        slot_ms=slot_ms,
        recency_ms=slot_ms - sums.last_ms,
        orders=sums.orders,
        monetary_minor=sums.minor,
        gap_ms=mean_gap_ms(profile),
        engagement=engagement(profile, slot_ms),
    )
