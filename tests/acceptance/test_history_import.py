"""Half a year of a real shop goes into a prefix that is sending, killed again and again, against a calm batch."""

from __future__ import annotations

import gzip
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.insights import Anomaly, Kpi
from schemas.journal import Imported
from schemas.outputs import Credit, DeadLetter, Decision, ProfileView, SegmentChanged, Trigger
from schemas.touchpoint import Touchpoint
from schemas.units import DAY_MS
from schemas.wire import SINGLE_OBJECT
from streams.fold.record import IMPORTED
from streams.kafka.config import reader_config
from streams.operations.folded_journal import verify_prefix
from streams.operations.prefix import Prefix
from streams.settings import Cuts
from tests.support.files import real_file
from tests.support.flows import TEN
from tests.support.producing import a_producer
from tests.support.retail import CURRENCY, ZONE, Batch, Figures, batch_segment, read_batch
from tests.support.retail_kpis import assert_kpis_are_the_files
from tests.support.retail_run import first_weeks
from tests.support.running import AWorker, Place, a_worker, make_place, send, wait_worked_off
from tests.support.watching import until
from tests.support.world import a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1_800)]

FLOWS = [{**flow, "holdout_percent": 0, "quiet_hours": None} for flow in TEN]
CUTS = Cuts(
    recency_ms=(7 * DAY_MS, 30 * DAY_MS, 60 * DAY_MS, 120 * DAY_MS),
    frequency=(2, 3, 5, 10),
    monetary_minor=(10_000, 50_000, 100_000, 300_000),
)
DATES = re.compile(rb"\d{4}-\d\d-\d\d(?= \d\d:\d\d:\d\d)")
EVERY_SECONDS = 0.05
"""A customer of today signs up this often."""
CALM_SECONDS = 15.0


@dataclass
class Today:
    """Customers who sign up while the import goes on, and when each of their first messages could be read."""

    place: Place
    sent: dict[str, float] = field(default_factory=dict)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """(when it was sent, s until its trigger was readable)."""
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self) -> Iterator[Today]:
        threads = [threading.Thread(target=each) for each in (self._sign_up, self._read)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def p99_ms(self, from_s: float, to_s: float) -> float:
        waits = [wait for at, wait in self.waits if from_s <= at < to_s]
        assert len(waits) > 100
        return 1_000 * statistics.quantiles(waits, n=100)[98]

    def _sign_up(self) -> None:
        with a_producer(self.place.settings.brokers) as producer:
            number = 0
            while not self._over.is_set():
                user = f"today-{number}"
                self.sent[user] = time.monotonic()
                event = a_touchpoint("signed_up", time.time_ns() // 1_000_000, user, event_id=user)
                producer.produce(self.place.topics.touchpoints, SINGLE_OBJECT.encode(event), f"u:{user}")
                producer.poll(0)
                number += 1
                self._over.wait(EVERY_SECONDS)

    def _read(self) -> None:
        consumer = Consumer(reader_config(self.place.settings.brokers, {}))
        partitions = range(self.place.domain.journal_partitions)
        consumer.assign([TopicPartition(self.place.topics.triggers, each, 0) for each in partitions])
        while not self._over.is_set():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            trigger = SINGLE_OBJECT.decode(message.value() or b"")
            if isinstance(trigger, Trigger) and trigger.user_id in self.sent:
                at = self.sent[trigger.user_id]
                self.waits.append((at, time.monotonic() - at))
        consumer.close()


@dataclass
class AfterImport:
    """What is left after the import: the prefix, the batch over the file, and what the last run said."""

    place: Place
    worker: AWorker
    batch: Batch
    account: dict[str, Any]
    today: set[str]
    p99_ms: tuple[float, float]
    """Of customers of today: before the import, and during it."""
    is_whole: bool

    @cached_property
    def past(self) -> dict[str, Figures]:
        """Customers of the file."""
        return self.batch.customers()


RUNS = [pytest.param("six weeks", marks=pytest.mark.heavy), pytest.param("half a year", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=RUNS)
def after(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AfterImport]:
    is_whole = request.param == "half a year"
    seed = random.Random().randrange(1 << 32)
    print(f"\nseed {seed}")  # noqa: T201
    folder = tmp_path_factory.mktemp("history-import")
    whole = real_file("online_retail/2010-12_2011-06.csv.gz")
    path = shifted(whole if is_whole else first_weeks(whole, folder / "six_weeks.csv"), folder / "past.csv")
    place = make_place(
        kafka,
        folder.name,
        folder,
        clock="wall",
        reporting_time_zone=ZONE,
        reporting_currency=CURRENCY,
        journal_partitions=4,
        touchpoint_partitions=4,
        flows=FLOWS,
        cuts_fixed=CUTS,
    )
    with a_worker(place) as worker:
        with Today(place).going_on() as today:
            until(lambda: len(today.waits) > 20, "the prefix is sending")
            calm_s = time.monotonic()
            time.sleep(CALM_SECONDS)
            began_s = time.monotonic()
            account = killed_and_repeated(place, path, random.Random(seed), 5 if is_whole else 2)
            ended_s = time.monotonic()
            until(lambda: bool(today.waits) and today.waits[-1][0] > ended_s, "customers of today go on")
        p99 = today.p99_ms(calm_s, began_s), today.p99_ms(began_s, ended_s)
        print(f"\np99 before {p99[0]:.0f} ms, during the import {p99[1]:.0f} ms; {ended_s - began_s:.0f} s")  # noqa: T201
        wait_worked_off(place)
        yield AfterImport(place, worker, read_batch(path), account, set(today.sent), p99, is_whole)


def shifted(path: Path, to: Path) -> Path:
    """The file's lines with dates so many whole weeks later that the last one is two to nine days ago."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    last = datetime.fromisoformat(max(DATES.findall(raw)).decode())
    weeks = (datetime.now() - timedelta(days=2) - last).days // 7  # noqa: DTZ005 - local days, as in the file
    later: dict[bytes, bytes] = {}
    for date in set(DATES.findall(raw)):
        later[date] = str((datetime.fromisoformat(date.decode()) + timedelta(weeks=weeks)).date()).encode()
    to.write_bytes(DATES.sub(lambda found: later[found.group()], raw))
    return to


def killed_and_repeated(place: Place, path: Path, chance: random.Random, kills: int) -> dict[str, Any]:
    """Runs the import and kills it after something was written, so many times; then lets it end."""
    for _ in range(kills):
        with a_command(place, path) as process:
            wait_for_more(place)
            time.sleep(chance.uniform(0, 1.0))
            assert process.poll() is None, "it ended before it could be killed"
            process.kill()
    with a_command(place, path) as process:
        said, complained = process.communicate(timeout=900)
    assert process.returncode == 0, complained
    found: dict[str, Any] = msgspec.json.decode(said)
    return found


def wait_for_more(place: Place) -> None:
    before = parts(place)
    until(lambda: parts(place) > before, "something more is written", 120)


@contextmanager
def a_command(place: Place, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["import", str(path), "--into", place.settings.prefix, "--mapping", "online_retail", "--json"]
    words += ["--brokers", place.settings.brokers]
    with subprocess.Popen(
        [sys.executable, "-m", "streams", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def parts(place: Place) -> int:
    """How many parts of imports are in the journal."""
    header = SINGLE_OBJECT.header(Imported)
    return sum((message.value() or b"").startswith(header) for message in place.messages("journal", [0]))


def test_each_order_is_in_the_journal_once_and_the_account_is_that_of_the_file(after: AfterImport) -> None:
    found: Counter[str] = Counter()
    for message in after.place.messages("journal"):
        headers = dict(message.headers() or ())
        if IMPORTED in headers and "hops" not in headers:
            record = SINGLE_OBJECT.decode(message.value() or b"")
            assert isinstance(record, Touchpoint)
            found[record.event_id] += 1
    assert set(found.values()) == {1}
    assert len(found) == len(after.batch.orders) + len(after.batch.refunds) == after.account["touchpoints"]
    (account,) = after.account["files"].values()
    assert {
        "orders": account["in_orders"],
        "refunds": account["in_refunds"],
        "unmatched": account["in_unmatched_refunds"],
        "zero": account["refused"]["zero_total"],
    } == after.batch.lines
    letters = [each for each in after.place.records("dead_letters", DeadLetter) if each.stage == "import"]
    assert sum(letter.lines for letter in letters) == after.batch.lines["zero"]
    assert len(after.place.records("dead_letters", DeadLetter)) == len(letters) == after.account["dead_letters"]


def test_the_same_command_again_writes_nothing(after: AfterImport) -> None:
    before = parts(after.place)
    path = after.place.folder / "past.csv"
    with a_command(after.place, path) as process:
        said, _ = process.communicate(timeout=300)
    again = msgspec.json.decode(said)
    assert (again["was_over"], again["written"], parts(after.place)) == (True, 0, before)
    assert again["files"] == after.account["files"]


def test_profiles_are_those_of_the_batch_and_segments_as_of_now(after: AfterImport) -> None:
    views = {
        key.removeprefix("u:"): view
        for key, view in after.place.last("profiles", ProfileView).items()
        if key.removeprefix("u:") in after.past
    }
    shown = {
        who: (view.orders, view.monetary_minor, view.first_order_ms or 0, view.last_order_ms or 0)
        for who, view in views.items()
    }
    expected = after.past
    assert shown == expected
    assert {who: (view.r, view.f, view.m, view.segment) for who, view in views.items()} == {
        who: batch_segment(figures, views[who].scored_ms, msgspec.to_builtins(CUTS.model_dump()))
        for who, figures in expected.items()
    }


def test_each_customer_comes_to_their_segment_once(after: AfterImport) -> None:
    moves = [
        change
        for change in after.place.records("segments", SegmentChanged)
        if change.customer.removeprefix("u:") in after.past
    ]
    ordered = {who for who, figures in after.past.items() if figures.orders}
    assert sorted(change.customer.removeprefix("u:") for change in moves) == sorted(ordered)
    assert {(change.before, change.cause) for change in moves} == {("none", f"import:{after.account['import_id']}")}


def test_nobody_of_the_past_gets_a_message_or_is_decided_about(after: AfterImport) -> None:
    triggers = after.place.records("triggers", Trigger)
    assert {trigger.user_id for trigger in triggers} <= after.today
    assert {each.customer.removeprefix("u:") for each in after.place.records("decisions", Decision)} <= after.today
    assert after.place.records("anomalies", Anomaly) == []


def test_credit_sums_to_each_order_less_its_refunds(after: AfterImport) -> None:
    standing: Counter[tuple[str, str]] = Counter()
    for credit in after.place.records("credits", Credit):
        standing[credit.model, credit.order_id] += credit.amount_minor
    orders, refunds = after.batch.orders, after.batch.refunds
    is_alone = refunds["order_id"] == ""
    alone = refunds[is_alone].groupby("InvoiceNo")["minor"].sum()
    taken = refunds[~is_alone].groupby("order_id")["minor"].sum().reindex(orders.index, fill_value=0)
    left = (orders["total"] - taken).to_dict() | (-alone).to_dict()
    for model in ("linear", "last"):
        assert {order_id: total for (name, order_id), total in standing.items() if name == model} == left


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_kpis_by_hour_and_day_are_those_of_the_file(after: AfterImport, grain: str) -> None:
    wait_worked_off(after.place)
    assert_kpis_are_the_files(after.place.records("kpis", Kpi), after.batch, grain)


def test_customers_of_today_wait_no_more_than_twice_as_long(after: AfterImport) -> None:
    calm_ms, import_ms = after.p99_ms
    # a few weeks are over in seconds, of which too few customers of today are a part
    assert import_ms <= (2 if after.is_whole else 5) * calm_ms


def test_who_orders_after_the_import_enters_what_they_should(after: AfterImport) -> None:
    """It adds to what is there."""
    figures = after.past
    often = min(who for who, each in figures.items() if each.orders > 2)
    once = min(who for who, each in figures.items() if each.orders == 1)
    now_ms = time.time_ns() // 1_000_000
    live = {often: "u:" + often, once: "u:" + once, "newcomer": "u:newcomer"}
    send(after.place, [an_order(now_ms, 900, user=who, products=an_add(0).products) for who in live])
    until(lambda: len(entered(after.place) & {(who, "post_purchase") for who in live.values()}) == 3, "they enter", 60)
    assert {flow for who, flow in entered(after.place) if who == "u:newcomer"} == {"post_purchase", "second_order"}
    for who in (often, once):
        assert ("u:" + who, "second_order") not in entered(after.place)


def test_a_fold_of_the_journal_gives_the_same_again(after: AfterImport) -> None:
    """The last test of the module: it stops the worker."""
    after.worker.kill()
    found = verify_prefix(Prefix(after.place.settings, after.place.domain, SINGLE_OBJECT))
    assert found.differences == ()
    assert found.holds


def entered(place: Place) -> set[tuple[str, str]]:
    """Who entered which flow."""
    return {(each.customer, each.flow_id) for each in place.records("decisions", Decision) if each.outcome == "entered"}
