"""Customers who stop buying move through the segments by time alone, on a real Kafka whose time is a replay's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from schemas.insights import Facts
from schemas.outputs import ProfileView, SegmentChanged
from schemas.touchpoint import Order, Touchpoint
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source
from tests.support.running import a_worker, make_place, play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import Place

pytestmark = pytest.mark.acceptance

DAY_MS = 86_400_000
ZONE = ZoneInfo("Europe/Berlin")
CUTS = {
    "recency_ms": [3 * DAY_MS, 10 * DAY_MS, 20 * DAY_MS, 35 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [2_000, 3_000, 4_000, 5_000],
}
"""A customer who has bought n times for 10.00 scores n in both F and M, up to 5."""
LAST = {n: datetime(2026, 3, 12 + n, 9 + n, 20, tzinfo=ZONE) for n in range(1, 6)}
"""When the customer with n orders buys for the last time. Two weeks later the clocks go forward."""
PATHS: dict[int, tuple[str, list[tuple[int, str]]]] = {
    # the segment at the last order, then (days after it, the segment that time alone brings)
    1: ("New", [(3, "Promising"), (10, "About to Sleep"), (20, "Hibernating"), (35, "Lost")]),
    2: ("Potential Loyalist", [(10, "About to Sleep"), (20, "Hibernating")]),
    3: ("Potential Loyalist", [(10, "Need Attention"), (20, "At Risk")]),
    4: ("Champions", [(3, "Loyal"), (20, "At Risk")]),
    5: ("Champions", [(3, "Loyal"), (20, "Can't Lose")]),
}
FAITHFUL = 30
"""Orders of a customer who goes on buying every other day, so that the shop's time goes on with its touchpoints."""


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def orders_of(who: str, last: datetime, count: int) -> list[Touchpoint]:
    """Every other day one of 10.00, the last one at `last`."""
    times = [ms(last - timedelta(days=2 * back)) for back in reversed(range(count))]
    return [
        Touchpoint(
            event_id=f"{who}-{number}",
            type="order_completed",
            time_ms=time_ms,
            user_id=who,
            order=Order(order_id=f"order-{who}-{number}", currency="EUR", total_minor=1_000),
        )
        for number, time_ms in enumerate(times)
    ]


@pytest.fixture(scope="module")
def place(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All have bought; then 38 days in which only the faithful one comes, and the drain's last 8 without anyone."""
    folder: Path = tmp_path_factory.mktemp("time-alone")
    place = make_place(kafka, folder.name, folder, reporting_time_zone=ZONE.key, cuts_fixed=CUTS)
    sent = [each for n, last in LAST.items() for each in orders_of(f"stops-after-{n}", last, n)]
    sent += orders_of("faithful", max(LAST.values()) + timedelta(days=30), FAITHFUL)
    sent.sort(key=lambda each: each.time_ms)
    with a_worker(place):
        play(place, Source("a shop", [MappedTouchpoint(each, 1) for each in sent]))
    return place


@pytest.mark.parametrize("n", PATHS)
def test_a_customer_who_stops_buying_changes_segment_on_the_right_days_without_an_event(place: Place, n: int) -> None:
    customer, last_ms = f"u:stops-after-{n}", ms(LAST[n])
    at_last, later = PATHS[n]
    changes = [change for who, change in place.keyed("segments", SegmentChanged) if who == customer]
    by_orders = [change for change in changes if change.time_ms <= last_ms]
    by_time = [change for change in changes if change.time_ms > last_ms]

    assert by_orders[-1].after == at_last
    assert [(day(change.time_ms), change.after) for change in by_time] == [
        (day(ms(LAST[n]) + days * DAY_MS), segment) for days, segment in later
    ]
    # the age that equals a cut still reaches it
    assert [change.time_ms - last_ms for change in by_time] == [days * DAY_MS + 1 for days, _ in later]
    earlier = [at_last, *(segment for _, segment in later)]
    assert [change.before for change in by_time] == earlier[:-1]
    assert all(change.cause.startswith("timer:") for change in by_time)
    assert {change.cuts_version for change in by_time} == {"cuts-fixed"}

    own = [each for who, each in place.keyed("journal", Touchpoint) if who == customer]
    assert [each.type for each in own] == ["order_completed"] * n
    assert max(each.time_ms for each in own) == last_ms


def test_a_customer_who_goes_on_buying_stays_a_champion(place: Place) -> None:
    changes = [change for who, change in place.keyed("segments", SegmentChanged) if who == "u:faithful"]
    assert [change.after for change in changes] == ["New", "Potential Loyalist", "Champions", "Loyal"]
    # the last one is in the time after the replay: three days after their last order
    assert day(changes[-1].time_ms) == day(ms(max(LAST.values())) + 33 * DAY_MS)


def test_profiles_and_facts_end_with_the_segments_that_time_has_brought(place: Place) -> None:
    views = place.last("profiles", ProfileView)
    ends: dict[str, object] = {f"u:stops-after-{n}": later[-1][1] for n, (_, later) in PATHS.items()}
    assert {who: view.segment for who, view in views.items()} == {**ends, "u:faithful": "Loyal"}
    stock: dict[str, int] = {}
    for facts in place.records("facts", Facts):
        for count in facts.counts:
            if count.name == "customers" and count.by.startswith("segment="):
                stock[count.by] = stock.get(count.by, 0) + count.value
    held = [view.segment for view in views.values()]
    assert {by: value for by, value in stock.items() if value} == {
        f"segment={segment}": held.count(segment) for segment in held
    }


def day(time_ms: int) -> str:
    """The shop's date."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZONE).date().isoformat()
