"""An import writes hours and days of any age, and what watches the shop hears nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.insights.anomalies import WARMUP_HOURS
from streams.insights.effects import TOO_OLD
from streams.insights.state import detector_key
from streams.insights.windows import KEPT_MS
from tests.support.insights import (
    DAY_MS,
    HOUR_MS,
    a_partition,
    at,
    counts,
    facts,
    final,
    fold_all,
    fold_to_end,
    kpis_of,
)

if TYPE_CHECKING:
    from schemas.insights import Count, Facts
    from state.overlay import Overlay
    from streams.insights.detector import Detector

MONDAY = at("2024-01-01T00:00")
YEAR_MS = 364 * DAY_MS


def past(*given: Count) -> Facts:
    """Facts that an import brought."""
    return msgspec.structs.replace(facts(*given), is_imported=True)


def a_shop(hours: int = 3, **settings: Any) -> Overlay[Any]:
    """One that has run for some hours from MONDAY on, with an order in each."""
    state = a_partition(**settings)
    fold_to_end(state, facts(to=MONDAY))
    for number in range(hours):
        hour_ms = MONDAY + number * HOUR_MS
        fold_to_end(state, facts(*counts(hour_ms, orders=1, revenue_minor=100), to=hour_ms + HOUR_MS))
    return state


def test_an_hour_of_a_year_ago_is_written_at_once_and_added_to() -> None:
    state, then = a_shop(), MONDAY - YEAR_MS
    effects = fold_all(
        state,
        [
            past(*counts(then, orders=2, revenue_minor=500), *counts(then + HOUR_MS, orders=1, revenue_minor=50)),
            past(*counts(then, orders=1, revenue_minor=20)),
        ],
    )
    assert [(kpi.numerator, kpi.revision) for kpi in kpis_of(effects, "orders") if kpi.start_ms == then] == [
        (2, 0),
        (3, 1),
    ]
    assert [(kpi.numerator, kpi.revision) for kpi in kpis_of(effects, "revenue_minor", "day")] == [(550, 0), (570, 1)]
    assert sum(each.left_out[TOO_OLD] for each in effects) == 0


def test_what_live_facts_say_of_an_imported_hour_corrects_it() -> None:
    state, then = a_shop(), MONDAY - YEAR_MS
    fold_to_end(state, past(*counts(then, orders=2)))
    effects = fold_to_end(state, facts(*counts(then, orders=-1)))
    assert [kpi.numerator for kpi in effects.kpis if (kpi.name, kpi.grain) == ("orders", "hour")] == [1]


def test_one_event_with_a_wrong_time_does_not_make_the_import_seem_forgotten() -> None:
    state, then = a_shop(), MONDAY - YEAR_MS
    fold_to_end(state, facts(*counts(then - YEAR_MS, touchpoints=1, orders=1)))
    effects = fold_to_end(state, past(*counts(then, orders=2)))
    assert [kpi.numerator for kpi in effects.kpis if (kpi.name, kpi.grain) == ("orders", "hour")] == [2]


def test_live_facts_of_other_old_hours_are_left_out_as_before() -> None:
    state = a_shop()
    fold_to_end(state, past(*counts(MONDAY - YEAR_MS, orders=2)))
    effects = fold_to_end(state, facts(*counts(MONDAY - YEAR_MS + HOUR_MS, orders=1)))
    assert (effects.left_out[TOO_OLD], effects.kpis) == (1, [])


def test_imported_hours_stay_for_a_second_import() -> None:
    state, then = a_shop(), MONDAY - 20 * DAY_MS
    fold_to_end(state, past(*counts(then, orders=2)))
    fold_to_end(state, facts(*counts(then, orders=1)))
    fold_to_end(state, facts(*counts(MONDAY + 2 * KEPT_MS, orders=1), to=MONDAY + 2 * KEPT_MS + HOUR_MS))
    effects = fold_to_end(state, past(*counts(then, orders=1)))
    assert [kpi.numerator for kpi in effects.kpis if (kpi.name, kpi.grain) == ("orders", "hour")] == [4]


def test_a_forgotten_hour_of_the_shops_own_is_not_overwritten() -> None:
    state = a_shop()
    fold_to_end(state, facts(*counts(MONDAY + 2 * KEPT_MS, orders=1), to=MONDAY + 2 * KEPT_MS + HOUR_MS))
    effects = fold_to_end(state, past(*counts(MONDAY, orders=5)))
    assert effects.kpis == []
    assert effects.left_out[TOO_OLD] == 1


def test_an_import_into_a_prefix_without_facts_does_not_begin_its_time() -> None:
    state, then = a_partition(), MONDAY - YEAR_MS
    effects = [fold_to_end(state, past(*counts(then, orders=2)))]
    effects.append(fold_to_end(state, facts(*counts(MONDAY, orders=1), to=MONDAY + HOUR_MS)))
    effects.append(fold_to_end(state, past(*counts(then + DAY_MS, orders=3))))
    found = final([kpi for each in effects for kpi in each.kpis])
    hours = {start: value for (name, grain, start, _), value in found.items() if (name, grain) == ("orders", "hour")}
    assert hours == {then: (2, 1), MONDAY: (1, 1), then + DAY_MS: (3, 1)}


def test_the_first_hour_of_a_prefix_is_a_revision_when_it_closes_after_an_import() -> None:
    state = a_partition()
    effects = [fold_to_end(state, past(*counts(MONDAY, orders=2)))]
    effects.append(fold_to_end(state, facts(*counts(MONDAY, orders=1), to=MONDAY + HOUR_MS)))
    assert [(kpi.numerator, kpi.revision) for kpi in kpis_of(effects, "orders")] == [(2, 0), (3, 1)]


def test_the_order_of_imported_facts_does_not_matter() -> None:
    given = [past(*counts(MONDAY - YEAR_MS + n * 7 * HOUR_MS, orders=n, revenue_minor=n * n)) for n in range(1, 40)]
    one, other = (fold_all(a_shop(), order) for order in (given, given[::-1]))
    assert final([kpi for each in one for kpi in each.kpis]) == final([kpi for each in other for kpi in each.kpis])


@pytest.mark.parametrize("burst", [0, 5_000])
def test_a_burst_that_an_import_brings_into_an_open_hour_is_in_the_kpi_and_raises_nothing(burst: int) -> None:
    state = a_shop(WARMUP_HOURS + 24)
    hour_ms = MONDAY + (WARMUP_HOURS + 24) * HOUR_MS
    effects = [fold_to_end(state, past(*counts(hour_ms, orders=burst, revenue_minor=100 * burst)))]
    effects.append(fold_to_end(state, facts(*counts(hour_ms, orders=1, revenue_minor=100), to=hour_ms + HOUR_MS)))
    assert [kpi.numerator for kpi in kpis_of(effects, "orders") if kpi.start_ms == hour_ms] == [burst + 1]
    assert [anomaly for each in effects for anomaly in each.anomalies] == []


def test_without_the_mark_of_an_import_such_a_burst_does_raise() -> None:
    state = a_shop(WARMUP_HOURS + 24)
    hour_ms = MONDAY + (WARMUP_HOURS + 24) * HOUR_MS
    effects = fold_to_end(state, facts(*counts(hour_ms, orders=5_001, revenue_minor=500_100), to=hour_ms + HOUR_MS))
    assert {anomaly.kpi for anomaly in effects.anomalies} == {"orders", "revenue_minor"}


def test_detectors_are_warm_after_an_import_that_ends_close_to_now_and_raise_nothing() -> None:
    state = a_shop(3)
    hours = [MONDAY - number * HOUR_MS for number in range(1, WARMUP_HOURS + 20)]
    effects = fold_all(state, [past(*counts(hour_ms, orders=3, touchpoints=3)) for hour_ms in hours])
    effects.append(fold_to_end(state, facts(*counts(0, imports=1))))
    detector: Detector | None = state.get(detector_key("orders"))
    assert detector is not None
    assert detector.season is not None
    assert detector.season.time_ms == MONDAY + 2 * HOUR_MS
    assert [anomaly for each in effects for anomaly in each.anomalies] == []


@pytest.mark.parametrize("gap_hours", [24, 200])
def test_detectors_do_not_learn_a_gap_between_the_import_and_now(gap_hours: int) -> None:
    state = a_shop(3)
    hours = [MONDAY - (gap_hours + number) * HOUR_MS for number in range(1, WARMUP_HOURS + 20)]
    fold_all(state, [past(*counts(hour_ms, orders=3, touchpoints=3)) for hour_ms in hours])
    fold_to_end(state, facts(*counts(0, imports=1)))
    detector: Detector | None = state.get(detector_key("orders"))
    assert detector is not None
    assert (detector.season, len(detector.warmup)) == (None, 3)
