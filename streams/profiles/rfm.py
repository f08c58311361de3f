"""The score of a customer: a pure function of their orders, their clock and the version of the cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import DAY_MS
from streams.profiles.orders import window_sums
from streams.profiles.profile import Profile, Score
from streams.profiles.scores import next_crossing_ms, score_f, score_m, score_r
from streams.profiles.segments import NO_ORDER, RULES, UNSCORED

if TYPE_CHECKING:
    from streams.profiles.scores import CutsModel
    from streams.settings import DomainSettings


def score(profile: Profile, now_ms: int, settings: DomainSettings, cuts: CutsModel | None) -> Score | None:
    """Score a profile at now_ms; None: it has no order that counts.

    Before the first cuts the segment is `unscored` and the scores are 0. Hughes 1994 (RFM by quintiles).
    """
    sums = window_sums(profile, now_ms, settings.rfm_window_days * DAY_MS)
    if not sums.last_ms:
        return None
    if cuts is None:
        return Score(UNSCORED, 0, 0, 0, "", now_ms, sums.orders, sums.minor, sums.leaves_ms)
    r = score_r(now_ms - sums.last_ms, cuts.recency_ms)
    f = score_f(sums.orders, cuts.frequency)
    m = score_m(sums.minor, cuts.monetary_minor)
    crossing_ms = next_crossing_ms(sums.last_ms, now_ms, cuts.recency_ms) or 0
    due_ms = min(crossing_ms or sums.leaves_ms, sums.leaves_ms or crossing_ms)
    return Score(RULES[settings.rfm_profile](r, f, m), r, f, m, cuts.version, now_ms, sums.orders, sums.minor, due_ms)


def segment_of(scored: Score | None) -> str:
    """Return the name of the segment; `none` without an order."""
    return scored.segment if scored is not None else NO_ORDER
