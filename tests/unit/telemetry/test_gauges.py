"""Gauges that hold what was seen for a while, and labels that stay few."""

from __future__ import annotations

from dataclasses import dataclass

from streams.telemetry.gauges import HELD_S, Bounded, HeldGauge


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def a_gauge(clock: Clock) -> HeldGauge:
    gauge = HeldGauge("anomaly_active", "open", clock)
    gauge.know(["orders", "sessions"])
    gauge.restore([])
    return gauge


def test_an_anomaly_that_was_cleared_at_once_is_seen_for_90_seconds() -> None:
    clock = Clock()
    gauge = a_gauge(clock)
    gauge.opened("orders", "")
    gauge.closed("orders", "")
    clock.now_s += HELD_S - 1
    assert gauge.values() == {"orders": 1, "sessions": 0}
    clock.now_s += 1
    assert gauge.values() == {"orders": 0, "sessions": 0}


def test_an_open_anomaly_is_shown_until_it_is_cleared() -> None:
    clock = Clock()
    gauge = a_gauge(clock)
    gauge.opened("orders", "")
    gauge.opened("orders", "channel=email")
    clock.now_s += 10 * HELD_S
    gauge.closed("orders", "")
    assert gauge.values()["orders"] == 1
    gauge.closed("orders", "channel=email")
    assert gauge.values()["orders"] == 0


def test_a_worker_that_lost_the_facts_shows_no_anomaly_and_the_next_one_shows_it_from_state() -> None:
    clock = Clock()
    before, after = a_gauge(clock), HeldGauge("anomaly_active", "open", clock)
    before.opened("orders", "")
    before.withdraw()
    assert before.values() == {}
    assert after.values() == {}
    after.know(["orders", "sessions"])
    after.restore([("orders", "")])
    assert after.values() == {"orders": 1, "sessions": 0}


def test_a_label_that_others_choose_stays_bounded() -> None:
    channel = Bounded(limit=2)
    assert [channel(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
