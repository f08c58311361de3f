"""Work that is left for later records goes on, whatever becomes of one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from schemas.journal import Configured, PartitionProgress, Progress, Unparked, Wake
from schemas.outputs import Credit, DeadLetter
from schemas.wire import encode
from streams.attribution import slices
from streams.fold import timers
from streams.fold.partition_state import PARTITION_KEY
from streams.fold.record import Record
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

ORDERS = 5
NOW_MS = START_MS + 10 * DAY_MS


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One conversion a slice."""
    monkeypatch.setattr(slices, "ROWS_MAX", 1)


def a_click(hours: int, **fields: str) -> Touchpoint:
    return a_touchpoint("ad_clicked", START_MS + hours * HOUR_MS, channel=f"ads {hours}", **fields)


@pytest.fixture
def world() -> World:
    """A customer whose late click changed the credit of orders that are not written yet."""
    world = World(touchpoint_partitions=1)
    for number in range(ORDERS):
        world.send(an_order(START_MS + DAY_MS + number, 900, order_id=f"o{number}"))
    world.send(a_click(2))
    return world


def unwritten(world: World, key: str = "u:1") -> int:
    profile = world.profile(key)
    assert profile is not None
    return len(profile.uncredited)


def folded(world: World, value: Progress | Wake) -> Effects:
    """One record alone, whatever it sends back."""
    effects = world.fold(Record("", value, encode(value), 0, 0))
    world.outputs += effects.outputs
    return effects


def progress(time_ms: int) -> Progress:
    return Progress((PartitionProgress(0, time_ms),))


def by_touch(world: World) -> dict[tuple[str, str, str | None], int]:
    return world.credit("order_id", "model", "touch_id")


def test_what_is_complete_waits_until_all_credit_is_written(world: World) -> None:
    assert unwritten(world) == ORDERS - 1
    value: Progress | Wake = progress(NOW_MS)
    for left in reversed(range(ORDERS - 1)):
        appended = [each for _, each, _ in folded(world, value).journal]
        complete_ms = world.fold.complete_to_ms()
        assert complete_ms is not None
        assert unwritten(world) == left
        if left:
            assert complete_ms < START_MS
            (value,) = appended
    assert (appended, complete_ms) == ([], NOW_MS)
    credited = {model: minor for (_, model, touch), minor in by_touch(world).items() if touch}
    assert credited == {"linear": 900, "last": 900}


def test_a_wake_that_was_set_aside_is_not_waited_for(world: World) -> None:
    lost = folded(world, progress(NOW_MS)).journal
    assert lost
    world.pass_time(NOW_MS + 1)
    assert unwritten(world) == 0
    assert world.fold.complete_to_ms() == NOW_MS + 1


def test_a_wake_of_an_earlier_time_is_stale(world: World) -> None:
    folded(world, progress(NOW_MS))
    folded(world, progress(NOW_MS + 1))
    before = unwritten(world)
    assert folded(world, Wake(time_ms=NOW_MS)).journal == []
    assert unwritten(world) == before
    assert folded(world, Wake(time_ms=NOW_MS + 1)).journal != []
    assert unwritten(world) == before - 1


def test_a_wake_of_rules_1_is_on_its_way_when_the_rules_rise(world: World) -> None:
    state = world.overlay.get(PARTITION_KEY)
    assert state is not None
    world.overlay.put(PARTITION_KEY, msgspec.structs.replace(state, rules=1, is_waking=True), 0)
    world.append("", Configured(world.settings.model_dump_json(), 0, 2))
    folded(world, Wake(time_ms=START_MS))
    world.pass_time(NOW_MS)
    assert unwritten(world) == 0
    assert world.fold.complete_to_ms() == NOW_MS


def test_a_second_late_click_meanwhile_is_written_together_with_the_first(world: World) -> None:
    rows = len(world.emitted(Credit))
    for hours in (3, 4, 5):
        world.send(a_click(hours))
    assert len(world.emitted(Credit)) == rows
    assert unwritten(world) == ORDERS
    world.pass_time(NOW_MS)
    calm = World(touchpoint_partitions=1)
    calm.send(*(a_click(hours) for hours in (2, 3, 4, 5)))
    for number in range(ORDERS):
        calm.send(an_order(START_MS + DAY_MS + number, 900, order_id=f"o{number}"))
    assert sorted(by_touch(world).values()) == sorted(by_touch(calm).values())


def test_a_device_takes_what_is_unwritten_along_to_its_user() -> None:
    world, calm = World(touchpoint_partitions=1), World(touchpoint_partitions=1)
    clicks = [a_click(hours, anonymous_id="phone") for hours in (2, 3)]
    orders = [
        an_order(START_MS + DAY_MS + number, 900, None, order_id=f"o{number}", anonymous_id="phone")
        for number in range(ORDERS)
    ]
    login = a_touchpoint("page_viewed", START_MS + 2 * DAY_MS, anonymous_id="phone")
    clicks = [msgspec.structs.replace(click, user_id=None) for click in clicks]
    calm.send(*clicks, *orders, login)
    world.send(clicks[0], *orders, clicks[1])
    assert unwritten(world, "a:phone")
    world.send(login)
    assert unwritten(world, "a:phone") == 0
    assert unwritten(world)
    world.pass_time(NOW_MS)
    assert unwritten(world) == 0
    assert world.fold.complete_to_ms() == NOW_MS
    assert by_touch(world) == by_touch(calm)


@pytest.mark.interpreted
def test_credit_whose_code_raises_is_parked_and_brought_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> Profile:
        raise ZeroDivisionError("the release has a bug")

    with monkeypatch.context() as broken:
        broken.setattr(timers, "with_slice", raising)
        world.pass_time(NOW_MS)
        world.pass_time(NOW_MS + 1)
    (letter,) = world.emitted(DeadLetter)
    assert (letter.reason, letter.source_topic) == ("timer_failed", "timer:credit")
    assert unwritten(world) == ORDERS - 1
    assert world.fold.complete_to_ms() == NOW_MS + 1
    world.append("u:1", Unparked("credit"))
    world.pass_time(NOW_MS + 2)
    assert unwritten(world) == 0
