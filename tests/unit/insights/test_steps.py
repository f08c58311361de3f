"""However long the silence, one record concludes a bounded number of hours, and all of them are concluded."""

from __future__ import annotations

import msgspec
import pytest

from schemas.insights import Count, PanelRow
from schemas.limits import CURRENCIES_MAX, FACTS_BYTES_MAX, KPIS_A_STEP, LONG_MAX, LONG_MIN, SLOT_ROWS_MAX
from streams.insights.effects import ROW_BEYOND, InsightEffects
from streams.insights.fold import fold_facts
from streams.insights.state import InsightCodec, Slot, slot_key
from streams.insights.windows import KEPT_MS
from streams.processors.insighting import GOING_ON
from tests.support.insights import (
    DAY_MS,
    HOUR_MS,
    WEEK_MS,
    a_partition,
    a_row,
    at,
    counts,
    facts,
    final,
    fold_all,
    kpis_of,
    some_weeks,
    ticks_of,
)

MONDAY = at("2024-01-01T00:00")
OF_AN_HOUR = 8 + 2 * (CURRENCIES_MAX + 1)


@pytest.mark.parametrize("days", [14, 400, 4_000])
def test_a_silence_of_any_length_is_concluded_in_bounded_steps(days: int) -> None:
    state = a_partition()
    fold_facts(state, facts(*counts(MONDAY, orders=1), to=MONDAY))
    end = MONDAY + days * DAY_MS
    effects = [fold_facts(state, facts(*counts(end, orders=2), to=end + HOUR_MS))]
    while effects[-1].is_behind:
        effects.append(fold_facts(state, GOING_ON))
    assert max(len(each.kpis) for each in effects) < KPIS_A_STEP + 2 * OF_AN_HOUR
    assert max(len(each.broadcast) for each in effects) <= 1
    hours = kpis_of(effects, "orders")
    assert len(hours) == min(days * 24 + 1, KEPT_MS // HOUR_MS + 2)
    assert (hours[0].numerator, hours[-1].numerator, hours[-1].start_ms) == (1, 2, end)
    assert [tick.time_ms for tick in ticks_of(effects)] == list(range(MONDAY + WEEK_MS, end + HOUR_MS + 1, WEEK_MS))


def test_the_first_record_of_an_import_is_concluded_in_bounded_steps() -> None:
    state = a_partition()
    start = at("1990-01-01T00:00")
    old = [count for day in range(100) for count in counts(start + day * DAY_MS, orders=1)]
    effects = [fold_facts(state, facts(*old, to=at("1992-01-01T00:00")))]
    while effects[-1].is_behind:
        effects.append(fold_facts(state, GOING_ON))
    assert max(len(each.kpis) for each in effects) < KPIS_A_STEP + 2 * OF_AN_HOUR
    assert sum(kpi.numerator for kpi in kpis_of(effects, "orders", "day")) == 100


def test_in_steps_or_record_by_record_the_same_comes_out() -> None:
    records = some_weeks(7, 6)
    calm = fold_all(a_partition(), records)
    held = [msgspec.structs.replace(record, complete_to_ms=None) for record in records[1:]]
    at_once = fold_all(a_partition(), [records[0], *held, facts(to=records[-1].complete_to_ms)])

    def of(effects: list[InsightEffects]) -> list[object]:
        kpis = final(kpi for one in effects for kpi in one.kpis)
        anomalies = [each for one in effects for each in one.anomalies]
        # stocks are those at the time of the record, not of the tick
        ticks = [(tick.time_ms, tick.models) for tick in ticks_of(effects)]
        return [sorted(kpis.items()), anomalies, ticks, [each for one in effects for each in one.models]]

    assert of(at_once) == of(calm)


def test_facts_that_come_while_insights_are_behind_count_where_they_belong() -> None:
    state = a_partition()
    end = MONDAY + 30 * DAY_MS
    effects = [fold_facts(state, facts(*counts(MONDAY, orders=1), to=end))]
    assert effects[0].is_behind
    effects += fold_all(state, [facts(*counts(MONDAY, orders=1), *counts(end - HOUR_MS, orders=1))])
    last = final(kpi for one in effects for kpi in one.kpis)
    assert last["orders", "hour", MONDAY, ""] == (2, 1)
    assert last["orders", "hour", end - HOUR_MS, ""] == (1, 1)


def test_an_hour_keeps_so_many_rows_whatever_their_order_and_fits_a_record() -> None:
    rows = [
        PanelRow(customer, MONDAY, LONG_MAX >> 22, LONG_MAX, LONG_MIN, LONG_MAX >> 22, 1.5)
        for customer in range(2 * SLOT_ROWS_MAX)
    ]
    slots = []
    for given in (rows, rows[::-1]):
        state = a_partition()
        effects = fold_all(state, [facts(panel=given[:700]), facts(panel=given[700:])])
        assert sum(one.left_out[ROW_BEYOND] for one in effects) == SLOT_ROWS_MAX
        slot = state.get(slot_key(MONDAY))
        assert isinstance(slot, Slot)
        assert len(InsightCodec().encode(b"", slot)) < FACTS_BYTES_MAX
        slots.append({row.customer_hash for row in slot.rows})
    assert slots[0] == slots[1] == set(range(SLOT_ROWS_MAX))


def test_so_many_rows_of_many_hours_are_learnt_in_bounded_steps() -> None:
    state = a_partition()
    fold_facts(state, facts(to=MONDAY))
    for hour in range(1, 9):
        panel = [a_row(hour * 10_000 + at, MONDAY + hour * HOUR_MS) for at in range(SLOT_ROWS_MAX)]
        fold_facts(state, facts(panel=panel))
    effects = [fold_facts(state, facts(Count("orders", MONDAY, "", 1), to=MONDAY + DAY_MS))]
    while effects[-1].is_behind:
        effects.append(fold_facts(state, GOING_ON))
    assert max(each.rows_learnt for each in effects) == SLOT_ROWS_MAX
    assert sum(each.rows_learnt for each in effects) == 8 * SLOT_ROWS_MAX
