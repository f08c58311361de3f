"""What is asked at each scrape."""

from __future__ import annotations

from streams.telemetry.metrics import Metrics
from tests.support.engine_status import JOURNAL, AnEngine
from tests.support.metrics import value


def test_the_engine_is_asked_at_each_scrape_and_a_partition_that_left_leaves_no_series() -> None:
    metrics, engine = Metrics(), AnEngine(owned={JOURNAL: 5})
    metrics.watch(engine)
    assert value(metrics, "lag_records", topic="t.journal", partition="0") == 5
    assert value(metrics, "commits_total") == 7
    assert value(metrics, "unsent_records") == 7
    assert value(metrics, "clock_ahead_seconds") == -0.25
    engine.owned = {}
    assert value(metrics, "lag_records", topic="t.journal", partition="0") is None
    assert value(metrics, "partitions_owned") == 0


def test_a_lag_is_shown_only_while_the_brokers_answer() -> None:
    metrics, engine = Metrics(), AnEngine(owned={JOURNAL: 5}, silent_s=31.0)
    metrics.watch(engine)
    assert value(metrics, "lag_records", topic="t.journal", partition="0") is None
    assert value(metrics, "brokers_silent_seconds") == 31
    assert value(metrics, "partitions_owned") == 1
    engine.silent_s = 2.0
    assert value(metrics, "lag_records", topic="t.journal", partition="0") == 5
