"""Why a customer is in a segment, in sentences for people; the boundaries of scores are called cuts in the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import DAY_MS, HOUR_MS, shown_time
from streams.profiles.scores import next_crossing_ms, score_f, score_m, score_r
from streams.profiles.segments import NO_ORDER, UNSCORED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schemas.outputs import ProfileView, SegmentChanged
    from streams.profiles.scores import CutsModel
    from streams.settings import DomainSettings

_TWO_DAYS_MS = 2 * DAY_MS


def shown_age(age_ms: int) -> str:
    """Return the age in days, or in hours below two days."""
    return f"{age_ms / DAY_MS:.1f} days" if age_ms >= _TWO_DAYS_MS else f"{age_ms / HOUR_MS:.1f} hours"


def shown_minor(minor: int) -> str:
    """Return minor units with separators; how many of them make one unit depends on the currency."""
    return f"{minor:,}"


def why_segment(view: ProfileView, cuts: CutsModel | None, settings: DomainSettings) -> tuple[str, ...]:
    """Return sentences about the public profile; `cuts` is the version that it names, None if that is gone."""
    if view.segment == NO_ORDER or view.last_order_ms is None:
        return (f"{NO_ORDER}: there is no order that counts.",)
    if view.segment == UNSCORED:
        rows = settings.panel_rows_min
        return (
            f"{UNSCORED}: there were no scores yet. They begin when a week's sample has {rows} customers with orders.",
        )
    rule = (
        f"{view.segment}: R is {view.r}, and the mean of F {view.f} and M {view.m}, rounded up, is "
        f"{(view.f + view.m + 1) // 2} (the grid)."
        if settings.rfm_profile == "grid"
        else f"{view.segment}: the first rule that R {view.r}, F {view.f}, M {view.m} meet (the classic profile)."
    )
    if cuts is None:
        return rule, f"The boundaries {view.cuts_version} are no longer available."
    age_ms = max(view.scored_ms - view.last_order_ms, 0)
    currency = settings.reporting_currency
    window = f"the last {settings.rfm_window_days} days"
    recency = (
        f"R {score_r(age_ms, cuts.recency_ms)}: the last order, of {shown_time(view.last_order_ms)}, was "
        f"{shown_age(age_ms)} old when it was last scored, {shown_time(view.scored_ms)}. "
        f"Boundaries: {_listed(cuts.recency_ms, shown_age)}."
    )
    frequency = (
        f"F {score_f(view.orders, cuts.frequency)}: {view.orders} orders in {window}. "
        f"Boundaries: {_listed(cuts.frequency, str)}."
    )
    monetary = (
        f"M {score_m(view.monetary_minor, cuts.monetary_minor)}: {shown_minor(view.monetary_minor)} minor units of "
        f"{currency} in {window}, less refunds. Boundaries: {_listed(cuts.monetary_minor, shown_minor)}."
    )
    origin = f"learnt from {cuts.rows} customers" if cuts.rows else "set by hand in the settings"
    version = f"These boundaries are {cuts.version}, {origin}."
    return rule, recency, frequency, monetary, version, _what_time_does(view.last_order_ms, view.scored_ms, cuts)


def change_sentence(change: SegmentChanged, cuts: CutsModel | None) -> str:
    """Return what happened, why, and what the scores meant under the boundaries that were used."""
    said = f"{change.before} to {change.after}, {_because(change.cause)}"
    if not change.r:
        return f"{said}."
    scores = f"R {change.r} F {change.f} M {change.m}"
    if cuts is None:
        return f"{said}: {scores} under {change.cuts_version}."
    recency = _age_range(change.r, cuts.recency_ms)
    frequency = _figure_range(change.f, cuts.frequency, str)
    monetary = _figure_range(change.m, cuts.monetary_minor, shown_minor)
    return (
        f"{said}: {scores} under {change.cuts_version}. That means: last order {recency} ago, {frequency} orders, "
        f"{monetary} minor units."
    )


def _because(cause: str) -> str:
    kind, _, rest = cause.partition(":")
    if kind == "timer":
        name = rest.rpartition(":")[0]
        return {"score": "because time passed", "slot": "at the weekly check"}.get(name, f"at the timer {name}")
    if kind == "absorbed":
        return f"because {rest.rpartition(':')[0]} is the same customer"
    return f"at touchpoint {cause}"


def _what_time_does(last_order_ms: int, scored_ms: int, cuts: CutsModel) -> str:
    crossing_ms = next_crossing_ms(last_order_ms, scored_ms, cuts.recency_ms)
    if crossing_ms is None:
        return "R is at its lowest."
    lower = score_r(crossing_ms - last_order_ms, cuts.recency_ms)
    return f"Without another order, and with these boundaries, R becomes {lower} on {shown_time(crossing_ms)}."


def _listed(cuts: Sequence[int], shown: Callable[[int], str]) -> str:
    return ", ".join(shown(cut) for cut in cuts)


def _age_range(score: int, cuts: Sequence[int]) -> str:
    """Return the ages that earn the score: 5 up to the first boundary, 1 beyond the last."""
    passed = 5 - score
    if passed == 0:
        return f"at most {shown_age(cuts[0])}"
    if passed == len(cuts):
        return f"more than {shown_age(cuts[-1])}"
    return f"{shown_age(cuts[passed - 1])} to {shown_age(cuts[passed])}"


def _figure_range(score: int, cuts: Sequence[int], shown: Callable[[int], str]) -> str:
    """Return the figures that earn the score: 1 below the first boundary, 5 from the last."""
    if score == 1:
        return f"below {shown(cuts[0])}"
    if score > len(cuts):
        return f"at least {shown(cuts[-1])}"
    return f"{shown(cuts[score - 2])} to below {shown(cuts[score - 1])}"
