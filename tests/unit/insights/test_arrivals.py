"""What others could write is left out and counted, series are bounded, and a fold that stops anywhere goes on alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.insights import Arrivals
from schemas.limits_of_quality import SERIES_MAX, SERIES_TAKEN_MAX
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.arrived import SOURCES, Pulse, Sources
from streams.insights.fold import FactsRefused, fold_arrivals
from streams.insights.state import InsightCodec
from tests.support.arrivals import MONDAY_MS, ORDERS, Watch, an_arrival
from tests.support.insights import HOUR_MS, a_partition, facts, fold_to_end

LONG = "x" * 61


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": LONG},
        {"type": "a|b"},
        {"count": -1, "live": -1},
        {"live": 3},
        {"hour_ms": 7},
        {"hour_ms": 1 << 60},
        {"last_ms": MONDAY_MS + HOUR_MS},
        {"looked": 3},
        {"late": 1},
    ],
)
def test_a_count_that_collect_never_writes_is_left_out(wrong: dict[str, Any]) -> None:
    watch = Watch()
    (series,) = an_arrival(MONDAY_MS, 2).series
    watch.hear(Arrivals((replace(series, **wrong), series)))
    assert watch.said[-1].left_out["bad_source"] == 1
    held = watch.state.get(SOURCES)
    assert isinstance(held, Sources)
    assert held.series == (ORDERS,)


def test_a_record_with_more_series_than_we_write_is_refused() -> None:
    (series,) = an_arrival(MONDAY_MS).series
    with pytest.raises(FactsRefused, match="4001 series"):
        fold_arrivals(Watch().state, Arrivals((series,) * (SERIES_TAKEN_MAX + 1)))


def test_so_many_series_are_kept_apart_and_the_others_are_one() -> None:
    watch = Watch()
    for number in range(SERIES_MAX + 5):
        watch.hear(an_arrival(MONDAY_MS, series=(f"source-{number}", "page_viewed"), fields={"a": 1}))
    held = watch.state.get(SOURCES)
    assert isinstance(held, Sources)
    assert len(held.series) == SERIES_MAX
    pulse = watch.state.get(b"pulse/other|other")
    assert isinstance(pulse, Pulse)
    assert pulse.count == 5


def records(seed: int) -> list[Any]:
    """Three weeks in which orders come in and stop, and a field is renamed."""
    chance, found = np.random.default_rng(seed), list[Any]()
    for hour in range(3 * 168 + 12):
        start_ms, count = MONDAY_MS + hour * HOUR_MS, int(chance.poisson(30))
        if hour < 3 * 168 and count:
            at_ms = start_ms + int(chance.integers(HOUR_MS))
            fields = {"total" if hour < 400 else "order_total": count, "id": int(chance.integers(count + 1))}
            found.append(an_arrival(at_ms, count, fields=fields))
        found.append(facts(to=start_ms + HOUR_MS))
    return found


def test_a_fold_that_is_interrupted_anywhere_says_the_same() -> None:
    def said(state: Overlay[Any], store: MemoryStore, chance: np.random.Generator | None) -> list[Any]:
        effects = []
        for record in records(3):
            fold = fold_arrivals if isinstance(record, Arrivals) else fold_to_end
            effects.append(fold(state, record))
            if chance is not None and chance.random() < 0.2:
                state.freeze()
                state.committed(0)
                state = Overlay(store, InsightCodec())
        return effects

    calm = said(a_partition(), MemoryStore(), None)
    store = MemoryStore()
    assert said(a_partition(store=store), store, np.random.default_rng(4)) == calm
    kpis = [each.kpi for effects in calm for each in effects.anomalies if each.kpi in {"silence", "schema"}]
    assert sorted(kpis) == ["schema", "silence"]
