"""Facts of a foreign hand neither stop insights nor move time, and cost no other fact its place."""

from __future__ import annotations

from math import inf, nan

import pytest

from schemas.insights import Count, PanelRow
from schemas.journal import Configured
from schemas.limits import COUNTS_TAKEN_MAX, ENGAGEMENT_MAX, LONG_MAX, LONG_MIN, ROWS_TAKEN_MAX, TIME_AHEAD_MS_MAX
from streams.insights.effects import BAD_HOUR, BAD_ROW, BAD_TIME
from streams.insights.fold import FactsRefused, configured
from streams.insights.state import CLOCK, Clock
from streams.settings import DomainSettings
from tests.support.insights import DAY_MS, HOUR_MS, a_partition, a_row, at, counts, facts, final, fold_to_end

MONDAY = at("2024-01-01T00:00")
NOW = MONDAY + 10 * HOUR_MS
YEAR_200_000 = 6_248_000_000_000_000 // HOUR_MS * HOUR_MS


@pytest.mark.parametrize(
    "hour_ms",
    [-HOUR_MS, 1, HOUR_MS, MONDAY + 1, NOW + 3 * DAY_MS, YEAR_200_000, LONG_MAX, LONG_MIN],
    ids=["negative", "not whole", "1970", "not whole, now", "ahead", "year 200,000", "largest", "least"],
)
def test_an_absurd_hour_is_left_out_and_the_rest_of_its_record_counts(hour_ms: int) -> None:
    state = a_partition()
    given = facts(Count("orders", hour_ms, "", 5), *counts(MONDAY, orders=1), to=MONDAY + HOUR_MS)
    effects = fold_to_end(state, given, NOW)
    assert effects.left_out[BAD_HOUR] == 1
    assert final(effects.kpis)["orders", "hour", MONDAY, ""] == (1, 1)


@pytest.mark.parametrize("to", [-1, 0, LONG_MIN, NOW + TIME_AHEAD_MS_MAX + 1, LONG_MAX])
def test_a_record_moves_time_no_further_than_its_own_append_time(to: int) -> None:
    state = a_partition()
    effects = fold_to_end(state, facts(*counts(MONDAY, orders=1), to=to), NOW)
    assert effects.left_out[BAD_TIME] == 1
    assert not effects.kpis
    clock = state.get(CLOCK)
    assert isinstance(clock, Clock)
    assert clock.complete_ms == ()
    told = fold_to_end(state, facts(to=NOW + TIME_AHEAD_MS_MAX), NOW)
    assert final(told.kpis)["orders", "hour", MONDAY, ""] == (1, 1)


def test_without_the_brokers_stamp_only_absurd_times_are_left_out() -> None:
    state = a_partition()
    assert not fold_to_end(state, facts(to=at("2079-01-01T00:00"))).left_out[BAD_TIME]
    assert fold_to_end(state, facts(to=at("2080-01-02T00:00"))).left_out[BAD_TIME] == 1


@pytest.mark.parametrize(
    "row",
    [
        a_row(1, MONDAY, engagement=nan),
        a_row(1, MONDAY, engagement=inf),
        a_row(1, MONDAY, engagement=-1.0),
        a_row(1, MONDAY, engagement=2 * ENGAGEMENT_MAX),
        a_row(1, MONDAY, recency_ms=LONG_MIN),
        a_row(1, MONDAY, gap_ms=LONG_MAX),
        a_row(1, MONDAY, orders=-1),
        a_row(1, NOW + 3 * DAY_MS),
        a_row(1, LONG_MIN),
    ],
)
def test_a_row_of_which_no_features_can_be_taken_is_left_out(row: PanelRow) -> None:
    state = a_partition()
    effects = fold_to_end(state, facts(to=MONDAY, panel=[row, a_row(2, MONDAY + 1)]), NOW)
    assert effects.left_out[BAD_ROW] == 1
    assert not fold_to_end(state, facts(to=NOW), NOW).is_behind


@pytest.mark.parametrize("partition", [-1, 1, 1 << 31])
def test_facts_of_a_partition_that_is_not_there_are_refused(partition: int) -> None:
    with pytest.raises(FactsRefused, match="unknown_partition"):
        fold_to_end(a_partition(), facts(partition=partition, to=MONDAY))


@pytest.mark.parametrize(
    "record",
    [facts(*counts(MONDAY, orders=1) * (COUNTS_TAKEN_MAX + 1)), facts(panel=[a_row()] * (ROWS_TAKEN_MAX + 1))],
    ids=["counts", "rows"],
)
def test_a_record_with_more_items_than_we_write_is_refused(record: facts) -> None:  # type: ignore[valid-type]
    with pytest.raises(FactsRefused, match="too_large"):
        fold_to_end(a_partition(), record)


@pytest.mark.parametrize("changed", [{"journal_partitions": 2}, {"clock": "wall"}])
def test_settings_of_another_prefix_are_refused_and_the_old_ones_hold(changed: dict[str, object]) -> None:
    state = a_partition(clock="marks")
    foreign = DomainSettings.model_validate({"journal_partitions": 1, "clock": "marks", **changed})
    with pytest.raises(FactsRefused, match="other_prefix"):
        configured(state, Configured(foreign.model_dump_json(), 0))
    assert fold_to_end(state, facts(*counts(MONDAY, orders=1), to=MONDAY + HOUR_MS)).kpis


@pytest.mark.parametrize("copied", [Clock(), Clock(spoken_ms=(MONDAY, MONDAY), complete_ms=(MONDAY, MONDAY))])
def test_settings_after_a_repartition_hold(copied: Clock) -> None:
    state = a_partition(journal_partitions=2 - len(copied.complete_ms) // 2, clock="marks")
    state.put(CLOCK, copied, 0)
    more = DomainSettings.model_validate({"journal_partitions": 2, "clock": "marks", "grace_ms": 0})
    configured(state, Configured(more.model_dump_json(), 0))
    fold_to_end(state, facts(*counts(MONDAY, orders=1), partition=1, to=MONDAY + HOUR_MS))
    assert fold_to_end(state, facts(to=MONDAY + HOUR_MS)).kpis
