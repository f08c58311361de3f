"""Why a customer is in a segment, in sentences for people."""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.outputs import ProfileView, SegmentChanged
from schemas.units import shown_time
from streams.operations.wording import change_sentence, shown_age, why_segment
from streams.profiles.scores import CutsModel, score_f, score_r
from streams.settings import DomainSettings
from tests.support.world import DAY_MS, HOUR_MS, START_MS

CUTS = CutsModel(
    "cuts-2026-01-05",
    START_MS,
    (14 * DAY_MS, 30 * DAY_MS, 60 * DAY_MS, 120 * DAY_MS),
    (1, 2, 4, 7),
    (1_000, 5_000, 20_000, 80_000),
    250,
)
SETTINGS = DomainSettings(reporting_currency="GBP")


def a_view(**fields: Any) -> ProfileView:
    """A user who ordered four times, the last time 61 days before they were scored."""
    given: dict[str, Any] = {
        "customer": "u:1",
        "segment": "At Risk",
        "r": 2,
        "f": 4,
        "m": 3,
        "cuts_version": CUTS.version,
        "scored_ms": START_MS,
        "orders": 4,
        "monetary_minor": 12_300,
        "first_order_ms": START_MS - 200 * DAY_MS,
        "last_order_ms": START_MS - 61 * DAY_MS,
        "lifecycle": "at_risk",
        "cluster": -1,
        "clusters_version": "",
    }
    return ProfileView(**{**given, **fields})


def a_change(**fields: Any) -> SegmentChanged:
    """From Loyal to At Risk, because time passed."""
    given: dict[str, Any] = {
        "change_id": "id",
        "customer": "u:1",
        "before": "Loyal",
        "after": "At Risk",
        "r": 2,
        "f": 4,
        "m": 5,
        "cuts_version": CUTS.version,
        "cause": f"timer:score:{START_MS}",
        "time_ms": START_MS,
    }
    return SegmentChanged(**{**given, **fields})


def test_each_score_is_shown_with_its_figure_and_its_boundaries() -> None:
    rule, recency, frequency, monetary, version, _ = why_segment(a_view(), CUTS, SETTINGS)
    assert rule == "At Risk: R is 2, and the mean of F 4 and M 3, rounded up, is 4 (the grid)."
    assert recency.startswith("R 2: ")
    assert "61.0 days old when it was last scored" in recency
    assert recency.endswith(" Boundaries: 14.0 days, 30.0 days, 60.0 days, 120.0 days.")
    assert frequency == "F 4: 4 orders in the last 730 days. Boundaries: 1, 2, 4, 7."
    assert "M 3: 12,300 minor units of GBP" in monetary
    assert version == "These boundaries are cuts-2026-01-05, learnt from 250 customers."


def test_the_day_is_named_on_which_time_alone_lowers_recency() -> None:
    last = why_segment(a_view(), CUTS, SETTINGS)[-1]
    crossing_ms = START_MS + 59 * DAY_MS + 1
    assert last == f"Without another order, and with these boundaries, R becomes 1 on {shown_time(crossing_ms)}."


def test_beyond_the_last_boundary_time_lowers_nothing() -> None:
    view = a_view(last_order_ms=START_MS - 200 * DAY_MS, r=1)
    assert why_segment(view, CUTS, SETTINGS)[-1] == "R is at its lowest."


def test_a_customer_without_an_order_is_described_so() -> None:
    assert why_segment(a_view(segment="none", last_order_ms=None), None, SETTINGS) == (
        "none: there is no order that counts.",
    )


def test_an_unscored_customer_learns_when_scores_begin() -> None:
    (sentence,) = why_segment(a_view(segment="unscored", cuts_version=""), None, SETTINGS)
    assert "when a week's sample has 100 customers with orders" in sentence


def test_boundaries_that_are_gone_are_named() -> None:
    rule, sentence = why_segment(a_view(), None, SETTINGS)
    assert rule.startswith("At Risk")
    assert sentence == "The boundaries cuts-2026-01-05 are no longer available."


def test_the_classic_profile_is_named() -> None:
    rule = why_segment(a_view(), CUTS, DomainSettings(rfm_profile="classic"))[0]
    assert rule == "At Risk: the first rule that R 2, F 4, M 3 meet (the classic profile)."


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (f"timer:score:{START_MS}", "because time passed"),
        (f"timer:slot:{START_MS}", "at the weekly check"),
        (f"absorbed:a:phone:{START_MS}", "because a:phone is the same customer"),
        ("order-17", "at touchpoint order-17"),
    ],
)
def test_a_change_names_its_cause(cause: str, said: str) -> None:
    assert change_sentence(a_change(cause=cause), CUTS).startswith(f"Loyal to At Risk, {said}: ")


def test_a_change_says_what_its_scores_meant() -> None:
    assert change_sentence(a_change(), CUTS).endswith(
        "R 2 F 4 M 5 under cuts-2026-01-05. That means: last order 60.0 days to 120.0 days ago, "
        "4 to below 7 orders, at least 80,000 minor units."
    )


def test_a_change_under_boundaries_that_are_gone_keeps_its_scores() -> None:
    assert change_sentence(a_change(), None).endswith(": R 2 F 4 M 5 under cuts-2026-01-05.")


def test_a_change_without_scores_says_no_more_than_that() -> None:
    change = a_change(before="none", after="unscored", r=0, f=0, m=0, cuts_version="", cause="order-1")
    assert change_sentence(change, None) == "none to unscored, at touchpoint order-1."


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
def test_the_range_shown_for_a_score_earns_that_score(score: int) -> None:
    said = change_sentence(a_change(r=score, f=score), CUTS)
    ages = [float(days) * DAY_MS for days in re.findall(r"([0-9.]+) days", said)]
    oldest_ms = int(ages[-1]) + (1 if "more than" in said else 0)
    assert score_r(oldest_ms, CUTS.recency_ms) == score
    least = re.search(r"ago, (?:(at least|below) )?(\d+)", said)
    assert least is not None
    figure = int(least[2]) - (1 if least[1] == "below" else 0)
    assert score_f(figure, CUTS.frequency) == score


def test_ages_below_two_days_are_shown_in_hours() -> None:
    assert shown_age(47 * HOUR_MS) == "47.0 hours"
    assert shown_age(48 * HOUR_MS) == "2.0 days"
