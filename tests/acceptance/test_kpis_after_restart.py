"""The KPIs that a worker shows outlive it: who takes over the facts shows the same values of the same windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.touchpoint import Mark
from tests.support.running import AWorker, a_worker, buy, make_place, send, wait_worked_off
from tests.support.watching import until
from tests.support.world import DAY_MS, HOUR_MS, START_MS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

SHOWN = {"touchstream_kpi", "touchstream_kpi_window_timestamp_seconds"}


def test_a_worker_shows_after_its_restart_the_kpis_that_it_showed_before(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with a_worker(place) as worker:
        buy(place, START_MS)
        buy(place, START_MS + DAY_MS, count=7)
        for partition in range(place.domain.touchpoint_partitions):
            send(place, [Mark(START_MS + 2 * DAY_MS + 3 * HOUR_MS)], partition)
        wait_worked_off(place)
        # gauges follow a commit
        until(lambda: kpis_of(worker)["touchstream_kpi", "orders", "day"] == "7.0", "the second day has closed")
        before = kpis_of(worker)
    with a_worker(place) as worker:
        until(lambda: kpis_of(worker) == before, "the KPIs are shown again")


def kpis_of(worker: AWorker) -> dict[tuple[str, str, str], str]:
    """Values, as texts, since nan equals nothing, by name, KPI and grain."""
    families = text_string_to_metric_families(httpx.get(f"{worker.address}/metrics", trust_env=False, timeout=5).text)
    samples = [sample for family in families if family.name in SHOWN for sample in family.samples]
    return {(one.name, one.labels["kpi"], one.labels["grain"]): str(one.value) for one in samples}
