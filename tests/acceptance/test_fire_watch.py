"""A flow is watched against its backtest: the team is called where customers do otherwise, and only then."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import yaml

from schemas.insights import Anomaly
from schemas.outputs import Trigger
from schemas.touchpoint import Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source
from tests.support.commands import run
from tests.support.flows import a_bare_flow
from tests.support.running import Place, a_worker, make_place, play
from tests.support.watching import Watch, is_watchable, until, watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.running import AWorker

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(300)]

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
ZONE = "Europe/Berlin"
CARTS = (30, 50)
"""A day, of as many customers."""
MANY = 160
NIGHT_MS, OPEN_MS = 2 * HOUR_MS, 18 * HOUR_MS
OVERNIGHT_MS = 6 * HOUR_MS
"""After its last cart a day closes, and the next has not opened."""
FLOW = a_bare_flow("cart_help", "product_added", products="entry", wait={"for": "1h"}, expires_after="3d")
PAST, AS_BEFORE, AFTERWARDS = range(10), range(10, 15), range(16, 18)


def carts(day: int, count: int) -> Iterator[MappedTouchpoint]:
    chance = Random(day)
    open_ms = round(FIRST_DAY.timestamp() * 1000) + day * DAY_MS + NIGHT_MS
    mug = Product(sku="mug", price_minor=900, quantity=1)
    for number, time_ms in enumerate(sorted(open_ms + chance.randrange(OPEN_MS) for _ in range(count))):
        add = Touchpoint(
            event_id=f"add-{day}-{number}",
            type="product_added",
            time_ms=time_ms,
            user_id=f"{day}-{number}",
            products=(mug,),
        )
        yield MappedTouchpoint(add, 1)


def usual(days: range) -> Source:
    chance = Random(days.start)
    return Source("usual days", (add for day in days for add in carts(day, chance.randint(*CARTS))))


class Watched(NamedTuple):
    """A prefix whose flow was published with what its backtest expects, and which has gone on since."""

    place: Place
    worker: AWorker
    figures: dict[str, Any]
    watch: Watch | None

    def run(self, *arguments: str) -> str:
        done = run(*arguments, **self.place.variables)
        assert done.exit_code == 0, done.output
        return done.output

    def anomalies(self) -> list[Anomaly]:
        return [each for each in self.place.records("anomalies", Anomaly) if each.kpi == "messages"]

    def is_active(self) -> float:
        """The gauge that the alert looks at."""
        metrics = httpx.get(f"{self.worker.address}/metrics", trust_env=False, timeout=10).text
        (value,) = re.findall(r'^touchstream_anomaly_active\{kpi="messages"\} (\S+)$', metrics, re.MULTILINE)
        return float(value)


@pytest.fixture(scope="module")
def published(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Ten days without the flow; it is tried on their journal in a file, and published with what was found."""
    folder: Path = tmp_path_factory.mktemp("fires")
    flow, journal, figures = folder / "flow.yaml", folder / "journal.avro", folder / "figures.json"
    flow.write_text(yaml.safe_dump(FLOW), "utf-8")
    place = make_place(kafka, folder.name, folder, reporting_time_zone=ZONE, flows=[])
    with ExitStack() as running:
        worker = running.enter_context(a_worker(place))
        watch = None
        if is_watchable():
            watch = running.enter_context(watched(worker.address.removeprefix("http://"), folder / "watch"))
        found = Watched(place, worker, {}, watch)
        play(place, usual(PAST), drain_ms=OVERNIGHT_MS)
        found.run("journal", "export", str(journal))
        end = datetime.fromtimestamp(FIRST_DAY.timestamp() + len(PAST) * DAY_MS / 1000, UTC)
        found.run(
            "backtest", "--file", str(journal), "--flows", str(flow), "--to", end.isoformat(), "--json", str(figures)
        )
        found.run("flows", "publish", str(flow), "--expect", str(figures))
        yield found._replace(figures=json.loads(figures.read_bytes()))


@pytest.fixture(scope="module")
def as_before(published: Watched) -> Watched:
    """Days like those of the backtest."""
    play(published.place, usual(AS_BEFORE), drain_ms=OVERNIGHT_MS)
    return published


def test_a_flow_that_writes_as_foretold_calls_nobody(as_before: Watched) -> None:
    assert len(as_before.place.records("triggers", Trigger)) > 100
    assert as_before.anomalies() == []
    assert as_before.is_active() == 0


@pytest.fixture(scope="module")
def far_off(as_before: Watched) -> Watched:
    """Then a day with four times the carts, which has closed."""
    day = AS_BEFORE.stop
    play(as_before.place, Source("a day of many carts", carts(day, MANY)), drain_ms=OVERNIGHT_MS)
    return as_before


def test_a_flow_that_writes_far_more_than_its_backtest_foretold_raises_the_metric(far_off: Watched) -> None:
    (tried,) = far_off.figures["flows"]
    whole_days = [count for day, count in tried["days"].items() if day != far_off.figures["begin"][:10]]
    assert len(whole_days) == len(PAST) - 1
    expected = sum(whole_days) / len(whole_days)
    (raised,) = far_off.anomalies()
    assert (raised.by, raised.status, raised.direction) == ("flow=cart_help", "raised", "high")
    assert raised.expected == pytest.approx(expected)
    assert raised.observed == sent_on(far_off, raised.start_ms) > 2 * expected
    assert far_off.is_active() == 1
    if far_off.watch is not None:
        webhook = far_off.watch.webhook
        until(lambda: webhook.firing("FlowFireRate"), "FlowFireRate reaches the webhook")


def sent_on(watched: Watched, day_ms: int) -> int:
    by_day = Counter((each.decided_ms - day_ms) // DAY_MS for each in watched.place.records("triggers", Trigger))
    return by_day[0]


def test_it_ends_with_a_day_as_before(far_off: Watched) -> None:
    play(far_off.place, usual(AFTERWARDS), drain_ms=OVERNIGHT_MS)
    raised, cleared = far_off.anomalies()
    assert (cleared.anomaly_id, cleared.status) == (raised.anomaly_id, "cleared")
