"""State survives being written down."""

from __future__ import annotations

import random
from typing import Any

import pytest

from schemas.limits import LONG_MAX, LONG_MIN
from state.codec import NewerState, frame
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.arrived import Sources
from streams.insights.history import History
from streams.insights.state import CLOCK, VERSION, Clock, InsightCodec, Loaded, Settings, Stocks, Value, Window
from tests.support.insights import a_partition, a_row, at, facts, fold_all, fold_to_end, some_weeks


def test_every_kind_of_value_comes_back_as_it_was() -> None:
    state = a_partition()
    fold_all(state, [*some_weeks(1, 3), facts(panel=[a_row(1, at("2024-02-01T00:00"))])])
    codec = InsightCodec()
    records = state.freeze()
    kinds = set()
    for key, framed in records:
        if framed is not None:
            value = codec.decode(key, framed)
            assert codec.encode(key, value) == framed
            assert value == state.get(key)
            kinds.add(type(value).__name__)
    assert kinds >= {"Settings", "Clock", "Window", "Slot", "Cuts", "Clusters", "Detector", "Stocks"}


def test_a_fold_that_is_interrupted_anywhere_goes_on_alike() -> None:
    calm = a_partition()
    expected = fold_all(calm, some_weeks(2, 3))
    chance = random.Random(2)
    store = MemoryStore()
    broken: Overlay[Any] = a_partition(store=store)
    effects = []
    for record in some_weeks(2, 3):
        effects.append(fold_to_end(broken, record))
        if chance.random() < 0.3:
            broken.freeze()
            broken.committed(0)
            broken = Overlay(store, InsightCodec())
    assert effects == expected


def test_state_of_a_newer_version_is_refused_in_words() -> None:
    with pytest.raises(NewerState, match=r"b'clock' .* of version 7 .* up to 6"):
        InsightCodec().decode(CLOCK, frame(VERSION + 1, 0, b""))


def test_time_that_was_told_never_falls() -> None:
    monday_ms = at("2024-01-01T00:00")
    state = a_partition()
    fold_to_end(state, facts(to=monday_ms + 5_000))
    fold_to_end(state, facts(to=monday_ms + 4_000))
    clock = state.get(CLOCK)
    assert isinstance(clock, Clock)
    assert clock.complete_ms == (monday_ms + 5_000,)


@pytest.mark.parametrize("value", [LONG_MAX, LONG_MAX + 1, 10**31, LONG_MIN, LONG_MIN - 1, -(10**31)])
def test_sums_of_any_size_come_back_exactly(value: int) -> None:
    codec, counts = InsightCodec(), {"orders|": 3, "revenue_minor|": value}
    for stored in (Window(counts, True, {"orders|": 2}), Stocks(counts)):  # noqa: FBT003 - as the struct has it
        assert codec.decode(b"", codec.encode(b"", stored)) == stored


def test_only_sums_that_an_earlier_release_cannot_read_are_stored_as_of_a_later_version() -> None:
    codec = InsightCodec()
    assert codec.encode(b"", Window({"orders|": LONG_MAX}))[0] == 3
    assert codec.encode(b"", Window({"orders|": LONG_MAX + 1}))[0] == 4


def test_only_what_the_newest_rules_store_is_of_the_newest_version() -> None:
    codec = InsightCodec()
    stored: list[Value] = [
        Sources(),
        Loaded(1),
        History(1),
        Settings("{}", 3),
        Settings("{}", 2),
        Settings("{}", 1),
        Clock(),
    ]
    assert [codec.encode(b"", value)[0] for value in stored] == [VERSION, VERSION, 5, 4, 4, 3, 3]
