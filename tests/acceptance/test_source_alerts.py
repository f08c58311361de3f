"""A replayed month with two faults, through Kafka and the shipped Prometheus: the team hears of both and no other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest

from schemas.insights import Anomaly, Arrivals
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.operations.prefix import open_prefix
from streams.operations.quality import prefix_quality
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source
from tests.support.arrivals import MONDAY_MS
from tests.support.running import Place, a_worker, make_place, play
from tests.support.watching import Watch, is_watchable, until, watched
from tests.support.world import a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(300)]

END_MS = MONDAY_MS + 3 * WEEK_MS + 2 * DAY_MS
OFF_MS = MONDAY_MS + 3 * WEEK_MS + 6 * HOUR_MS
NOON_MS = MONDAY_MS + 3 * WEEK_MS + 12 * HOUR_MS
RATES = {"web": 30, "app": 12, "till": 6}


def a_month() -> Iterator[Touchpoint]:
    """Three sources send views all day. The app is switched off one morning, and the web renames a field at noon."""
    chance = np.random.default_rng(3)
    for hour_ms in range(MONDAY_MS, END_MS, HOUR_MS):
        events = []
        for source, rate in RATES.items():
            for at_ms in hour_ms + chance.integers(HOUR_MS, size=chance.poisson(rate)):
                if source == "app" and at_ms >= OFF_MS:
                    continue
                name = "colour" if source == "web" and at_ms >= NOON_MS else "color"
                user = f"u{chance.integers(300)}"
                events.append(a_touchpoint("page_viewed", int(at_ms), user, source=source, properties={name: "red"}))
        yield from sorted(events, key=lambda event: event.time_ms)


@dataclass
class Month:
    """What a worker made of it; `watch` is None where Prometheus cannot be had."""

    place: Place
    watch: Watch | None

    @property
    def faults(self) -> list[Anomaly]:
        found = [each for each in self.place.records("anomalies", Anomaly) if each.kpi in {"silence", "schema"}]
        return [each for each in found if each.status == "raised"]


@pytest.fixture(scope="module")
def month(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    folder = tmp_path_factory.mktemp("month")
    # a replay runs through partitions at different speeds: what is renamed would be gone and back, and have no new name
    place = make_place(kafka, f"month-{uuid4().hex[:8]}", folder, touchpoint_partitions=1)
    with ExitStack() as running:
        worker = running.enter_context(a_worker(place))
        watching = watched(worker.address.removeprefix("http://"), folder / "watch")
        watch = running.enter_context(watching) if is_watchable() else None
        play(place, Source("month", (MappedTouchpoint(each, 1) for each in a_month())))
        yield Month(place, watch)


def test_the_faults_found_are_those_that_were_planted(month: Month) -> None:
    assert sorted((each.kpi, each.by) for each in month.faults) == [
        ("schema", "source=web,type=page_viewed,field=properties.color,to=properties.colour"),
        ("silence", "source=app,type=page_viewed"),
    ]


def test_the_source_that_was_switched_off_is_told_in_the_time_that_its_rate_says(month: Month) -> None:
    (silence,) = [each for each in month.faults if each.kpi == "silence"]
    due_ms = 20 * HOUR_MS / RATES["app"]
    assert OFF_MS + 0.6 * due_ms <= silence.time_ms <= OFF_MS + 1.4 * due_ms + HOUR_MS


def test_the_field_is_told_within_a_thousand_touchpoints(month: Month) -> None:
    (drift,) = [each for each in month.faults if each.kpi == "schema"]
    sent = [each for each in a_month() if each.source == "web" and NOON_MS <= each.time_ms <= drift.time_ms]
    assert len(sent) <= 1_000


def test_the_team_hears_of_both_with_the_names_of_the_sources(month: Month, monitoring: None) -> None:  # noqa: ARG001 - asked for to skip where there is none
    assert month.watch is not None
    webhook = month.watch.webhook
    for alert, labels in (
        ("SourceSilent", {"source": "app", "type": "page_viewed"}),
        ("SchemaDrift", {"source": "web", "type": "page_viewed", "fault": "renamed"}),
    ):
        until(lambda alert=alert: webhook.firing(alert), f"{alert} reaches the webhook")  # type: ignore[misc]
        for told in webhook.firing(alert):
            assert labels.items() <= told["labels"].items()


def test_every_touchpoint_is_counted_once(month: Month) -> None:
    counted = sum(each.count for record in month.place.records("facts", Arrivals) for each in record.series)
    assert counted == sum(1 for _ in a_month())


def test_the_report_of_the_prefix_says_so_too(month: Month) -> None:
    found = prefix_quality(open_prefix(month.place.settings), 1, 0)
    sources = {each.source: each for each in found.sources}
    assert [(each.name, each.what) for each in sources["web"].fields] == [("properties.color", "vanished")]
    assert (sources["app"].touchpoints, sources["app"].days_without) == (0, 1)
    assert sources["till"].fields == ()
