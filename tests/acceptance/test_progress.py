"""Progress does not overtake: no customer's timer fires while their purchase is still in an input partition."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Mark, Touchpoint
from tests.support.flows import a_flow
from tests.support.running import Place, a_worker, make_place, send, wait_worked_off
from tests.support.world import HOUR_MS, MINUTE_MS, START_MS, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


pytestmark = pytest.mark.acceptance

HELD_BACK, CAUGHT_UP = 0, 1
"""Input partitions; each customer has all records in one of them."""
BUYERS = [f"buyer-{number}" for number in range(20)]
LEAVERS = [f"leaver-{number}" for number in range(20)]
OTHERS = [f"other-{number}" for number in range(20)]
"""Leave their carts too, in the partition that is caught up."""
BACKLOG = 40_000
WAIT_SECONDS = 6


def the_flow(wait: str) -> dict[str, Any]:
    return a_flow(wait={"for": wait, "restarts": True})


def marks(hours: Iterable[int]) -> list[Mark]:
    return [Mark(START_MS + hour * HOUR_MS) for hour in hours]


def carts(users: list[str], at_ms: int = START_MS + 1) -> list[Touchpoint]:
    return [an_add(at_ms, user=user) for user in users]


def views(count: int, at_ms: int) -> Iterable[Touchpoint]:
    """Touchpoints before the purchases, by people who have nothing in their carts."""
    return (a_touchpoint("page_viewed", at_ms, user=f"visitor-{number % 997}") for number in range(count))


def reminded(place: Place) -> list[str]:
    return sorted(trigger.user_id or "" for trigger in place.records("triggers", Trigger))


def outcomes(place: Place, users: list[str]) -> set[str]:
    wanted = {f"u:{user}" for user in users}
    return {decision.outcome for decision in place.records("decisions", Decision) if decision.customer in wanted}


def test_time_waits_for_the_partition_whose_marks_are_held_back(kafka: str, prefix: str, tmp_path: Path) -> None:
    """The latest mark of any partition (max for min) would fire all timers while one partition is held back."""
    place = make_place(kafka, prefix, tmp_path, flows=(the_flow("2h"),))
    with a_worker(place):
        send(place, [*marks([0]), *carts([*BUYERS, *LEAVERS])], HELD_BACK)
        send(place, [*marks([0]), *carts(OTHERS), *marks(range(1, 25))], CAUGHT_UP)
        wait_worked_off(place)
        assert reminded(place) == []
        assert outcomes(place, [*BUYERS, *LEAVERS, *OTHERS]) == {"entered"}

        at_ms = START_MS + 90 * MINUTE_MS
        send(place, [*marks([1]), *views(5_000, at_ms), *(an_order(at_ms, user=user) for user in BUYERS)], HELD_BACK)
        wait_worked_off(place)
        assert reminded(place) == []
        assert outcomes(place, BUYERS) == {"entered", "exited"}

        send(place, marks(range(2, 25)), HELD_BACK)
        wait_worked_off(place)
    assert reminded(place) == sorted([*LEAVERS, *OTHERS])
    assert outcomes(place, BUYERS) == {"entered", "exited"}
    assert outcomes(place, [*LEAVERS, *OTHERS]) == {"entered", "sent"}


def test_marks_that_were_all_written_do_not_overtake_a_backlog(kafka: str, prefix: str, tmp_path: Path) -> None:
    """All is written before a worker starts, so a caught-up partition has told a day's marks in its first cycle.

    With the latest mark for the least one, or with marks told when they are fetched instead of when all before
    them has been handed on, the buyers would be reminded while their purchases wait behind the backlog.
    """
    place = make_place(kafka, prefix, tmp_path, flows=(the_flow("2h"),))
    send(place, [*marks([0]), *carts(OTHERS), *marks(range(1, 25))], CAUGHT_UP)
    send(place, [*marks([0]), *carts([*BUYERS, *LEAVERS])], HELD_BACK)
    at_ms = START_MS + 90 * MINUTE_MS
    send(place, [*marks([1]), *views(BACKLOG, at_ms), *(an_order(at_ms, user=user) for user in BUYERS)], HELD_BACK)
    send(place, marks(range(2, 25)), HELD_BACK)
    with a_worker(place, batch_records_max=200, commit_interval_ms=20):
        wait_worked_off(place)
    assert reminded(place) == sorted([*LEAVERS, *OTHERS])
    assert outcomes(place, BUYERS) == {"entered", "exited"}


def test_the_clock_on_the_wall_waits_for_a_backlog(kafka: str, prefix: str, tmp_path: Path) -> None:
    """Carts, a backlog and purchases are in one partition for longer than the flow waits; the other one is empty.

    An empty partition has come to the present, so with the latest progress for the least one the worker's first
    cycle would tell a time at which every cart's wait is over, and the buyers' purchases wait behind the backlog.
    So it would if a partition were taken to have come to the present before it was read to its end.
    """
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=(the_flow(f"{WAIT_SECONDS}s"),))
    began = time.monotonic()
    now_ms = int(time.time() * 1000)
    send(place, carts([*BUYERS, *LEAVERS], now_ms), HELD_BACK)
    send(place, views(BACKLOG, now_ms), HELD_BACK)
    send(place, (an_order(now_ms, user=user) for user in BUYERS), HELD_BACK)
    send(place, carts(OTHERS, now_ms), CAUGHT_UP)
    took = time.monotonic() - began
    assert took < WAIT_SECONDS, f"the purchases came {took:.1f} s after the carts: the test proves nothing"
    time.sleep(WAIT_SECONDS + 2 - took)
    with a_worker(place, batch_records_max=200, commit_interval_ms=20):
        give_up_at = time.monotonic() + 60
        while len(reminded(place)) < len(LEAVERS) + len(OTHERS):
            assert time.monotonic() < give_up_at, "time does not go on"
            time.sleep(0.5)
        wait_worked_off(place)
    assert reminded(place) == sorted([*LEAVERS, *OTHERS])
    assert outcomes(place, BUYERS) == {"entered", "exited"}
