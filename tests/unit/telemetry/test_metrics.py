"""What is asked at each scrape."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.telemetry.metrics import Metrics
from tests.support.metrics import value


@dataclass
class Engine:
    """An engine's word about itself."""

    ready: bool = True
    polled_s: float = 10.0
    committed_s: float = 9.0
    commits: int = 7
    aborts: int = 1
    restore_s: float = 2.5
    unsent: int = 7
    owned: dict[tuple[str, int], int] = field(default_factory=lambda: {("t.journal", 0): 5})

    def lags(self) -> dict[tuple[str, int], int]:
        return self.owned

    def restored(self) -> dict[tuple[str, int], float]:
        return dict.fromkeys(self.owned, 1.0)


def test_the_engine_is_asked_at_each_scrape_and_a_partition_that_left_leaves_no_series() -> None:
    metrics, engine = Metrics(), Engine()
    metrics.watch(engine)
    assert value(metrics, "lag_records", topic="t.journal", partition="0") == 5
    assert value(metrics, "commits_total") == 7
    assert value(metrics, "unsent_records") == 7
    engine.owned = {}
    assert value(metrics, "lag_records", topic="t.journal", partition="0") is None
    assert value(metrics, "partitions_owned") == 0
