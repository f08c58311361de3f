"""A finished run of a tiny shop, as records of topics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.insights import Anomaly, Count, Facts, Kpi, Model
from schemas.outputs import DeadLetter, Decision, ProfileView, SegmentChanged
from schemas.touchpoint import Mark, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.demo.finished import Finished
from streams.demo.report.accounting import Account, account_of
from streams.demo.report.reading import Records, read_records
from streams.demo.report.runs import Run
from streams.profiles.features import FEATURES, ClusterModel
from streams.replay.files.mapped import Accounting
from streams.replay.replayer import ReplaySummary
from streams.settings import DomainSettings
from streams.topics import Topics
from tests.support.effects import a_credit, a_trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MONDAY_MS = 1_756_684_800_000
TOPICS = Topics("tiny")


@dataclass
class Kept:
    """A record as a topic keeps it."""

    struct: msgspec.Struct | None
    name: str = ""
    told: list[tuple[str, bytes]] = field(default_factory=list)
    place: int = 0

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes:
        return self.name.encode()

    def value(self) -> bytes | None:
        return None if self.struct is None else SINGLE_OBJECT.encode(self.struct)

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.told or None


class Shelf:
    """Topics by short name."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Kept]] = defaultdict(list)

    def put(self, topic: str, struct: msgspec.Struct | None, key: str = "", hops: int | None = None) -> None:
        told = [("received_at_ms", bytes(8))] if topic == "journal" and isinstance(struct, Touchpoint) else []
        told += [("hops", bytes([hops]))] if hops else []
        self.topics[topic].append(Kept(struct, key, told, len(self.topics[topic])))

    def read(self, topic: str) -> Iterator[Kept]:
        return iter(self.topics[topic.removeprefix("tiny.")])

    def records(self) -> Records:
        return read_records(self.read, TOPICS, SINGLE_OBJECT)


def a_touchpoint(number: int) -> Touchpoint:
    return Touchpoint(event_id=f"e{number}", type="page_viewed", time_ms=MONDAY_MS, user_id="ann")


def a_view(customer: str, segment: str, cluster: int, orders: int = 1) -> ProfileView:
    ordered = MONDAY_MS if orders else None
    return ProfileView(
        customer=customer,
        segment=segment,
        r=5,
        f=1,
        m=1,
        cuts_version="cuts-1",
        scored_ms=MONDAY_MS + DAY_MS,
        orders=orders,
        monetary_minor=4_200 * orders,
        first_order_ms=ordered,
        last_order_ms=ordered,
        lifecycle="first_time",
        cluster=cluster,
        clusters_version="clusters-1",
    )


def a_change(customer: str, before: str, after: str, day: int) -> SegmentChanged:
    time_ms = MONDAY_MS + day * DAY_MS
    return SegmentChanged(f"{customer}{day}", customer, before, after, 5, 1, 1, "cuts-1", "e1", time_ms)


def a_decision(outcome: str, number: int) -> Decision:
    final = outcome != "entered"
    return Decision(f"c{number}", "u:ann", "abandoned_cart", 1, "reminder", "treatment", outcome, final, "so.", "e1", 0)


def a_tiny_shop() -> Shelf:
    """Five touchpoints sent: one refused by collect, one forwarded, one twice; two orders, a reminder, an alarm."""
    shelf = Shelf()
    for number in range(5):
        shelf.put("touchpoints", a_touchpoint(number))
        shelf.put("touchpoints", Mark(MONDAY_MS))
    for number in range(1, 5):
        shelf.put("journal", a_touchpoint(number), "u:ann")
    shelf.put("journal", a_touchpoint(4), "u:bob", hops=1)
    shelf.put("dead-letters", DeadLetter("no_customer", "", "collect", "tiny.touchpoints", 0, 0))
    shelf.put("dead-letters", DeadLetter("zero_total", "", "replay", "tiny.csv", -1, 7, lines=2))
    told = {
        "folded": 3,
        "duplicates": 1,
        "forwards_sent": 1,
        "forwards_received": 1,
        "customers_ordered": 2,
        "orders": 2,
        "revenue_minor": 8_400,
        "decisions_open": 0,
    }
    shelf.put("facts", Facts(0, MONDAY_MS, tuple(Count(name, 0, "", value) for name, value in told.items())))
    by = {
        "segment=New": ("customers", 1),
        "segment=Loyal": ("customers", 1),
        "model=linear,channel=email": ("credited_minor", 8_400),
        "model=last,channel=email": ("credited_minor", 8_400),
    }
    shelf.put("facts", Facts(1, MONDAY_MS, tuple(Count(name, 0, which, value) for which, (name, value) in by.items())))
    _customers(shelf)
    _insights(shelf)
    return shelf


def _customers(shelf: Shelf) -> None:
    for view in (a_view("u:ann", "New", 1), a_view("u:bob", "Loyal", 2, 3), a_view("u:eve", "none", -1, 0)):
        shelf.put("profiles", view, view.customer)
    shelf.put("profiles", a_view("a:phone", "New", 1), "a:phone")
    shelf.put("profiles", None, "a:phone")
    changes = (
        a_change("u:ann", "none", "New", 0),
        a_change("u:bob", "none", "New", 0),
        a_change("u:bob", "New", "Loyal", 4),
    )
    for change in changes:
        shelf.put("segments", change)
    for number, outcome in enumerate(("entered", "entered", "too_old")):
        shelf.put("decisions", a_decision(outcome, number))
    shelf.put("decisions", a_decision("sent", 0))
    shelf.put("decisions", a_decision("exited", 1))
    shelf.put("triggers", a_trigger(customer="u:ann"))
    for model in ("linear", "last"):
        for amount in (10_000, -1_600):
            credit = a_credit(amount, credit_id=f"{model}{amount}", customer="u:ann", model=model, cause="e1")
            shelf.put("credits", credit)


def _insights(shelf: Shelf) -> None:
    for hour, (first, corrected) in enumerate(((4_000, 4_200), (4_200, 4_200))):
        for revision, value in enumerate((first, corrected)):
            shelf.put("kpis", a_revenue("hour", MONDAY_MS + hour * HOUR_MS, value, revision))
    shelf.put("kpis", a_revenue("day", MONDAY_MS, 8_400, 0))
    for status, hour in (("raised", 0), ("cleared", 1)):
        start, now = MONDAY_MS, MONDAY_MS + hour * HOUR_MS
        shelf.put("anomalies", Anomaly("a", "orders", "", status, start, now, 6.0, 60.0, 1.4, "low", "seasonal-pot"))
    clusters = ClusterModel(
        "clusters-1",
        MONDAY_MS,
        FEATURES,
        (0.0,) * 5,
        (1.0,) * 5,
        ((0.0,) * 5,) * 2,
        ("few <orders>", "frequent"),
        (1, 2),
        (1, 1),
    )
    shelf.put("models", Model("clusters", "clusters-1", MONDAY_MS, "json", msgspec.json.encode(clusters), "river", 1))


def a_revenue(grain: str, start_ms: int, value: int, revision: int) -> Kpi:
    return Kpi(
        name="revenue_minor",
        grain=grain,
        start_ms=start_ms,
        by="",
        value=float(value),
        numerator=value,
        denominator=1,
        revision=revision,
    )


def a_replay() -> ReplaySummary:
    """Five touchpoints of eight lines, two lines refused."""
    file = Accounting(in_orders=4, in_others=2)
    file.refused["zero_total"] = 2
    summary = ReplaySummary(files={"tiny.csv": file}, touchpoints=5, first_ms=MONDAY_MS, last_ms=MONDAY_MS + DAY_MS)
    summary.seconds = 2.0
    return summary


def an_account(shelf: Shelf | None = None, lines: int = 8) -> Account:
    return account_of((shelf or a_tiny_shop()).records(), a_replay(), lines, "EUR")


def a_finished_run(*, generated: bool = False) -> Finished:
    domain = DomainSettings.model_validate({"clock": "marks", "reporting_time_zone": "Europe/Berlin"})
    run = Run("tiny", "Tiny <shop>", "Two customers", Path("tiny.csv"), None, domain, is_generated=generated)
    records = a_tiny_shop().records()
    return Finished(run, "tiny", a_replay(), account_of(records, a_replay(), 8, "EUR"), records)
