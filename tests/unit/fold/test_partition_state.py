"""Stored bytes of every version that ever wrote a partition's state are read; those of a later one are refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas.journal import RULES, CollectedTo, Configured, ModelChunk, ModelTick, PartitionProgress, TickedModel
from schemas.limits import OUTPUT_BYTES_MAX, SETTINGS_BYTES_MAX
from state.codec import NewerState, frame
from streams.fold.moment import Rejected
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState, with_collected
from streams.fold.partition_state import VERSION as PARTITION_VERSION
from tests.support.stored import (
    PARTITION_BY_VERSION_1,
    PARTITION_BY_VERSION_2,
    PARTITION_BY_VERSION_3,
    PARTITION_BY_VERSION_4,
    PARTITION_BY_VERSION_5,
    a_full_partition,
)
from tests.support.world import START_MS, World


def test_the_state_of_a_partition_of_every_version_is_read() -> None:
    codec, full = JournalCodec(), a_full_partition()
    of_rules_3 = msgspec.structs.replace(full, rules=3, imports=(), holds=())
    of_rules_2 = msgspec.structs.replace(of_rules_3, rules=2, first_event_ms=0)
    before_rules = msgspec.structs.replace(of_rules_2, rules=1, waking_ms=0)
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_1) == msgspec.structs.replace(before_rules, collected=())
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_2) == before_rules
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_3) == of_rules_2
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_4) == of_rules_3
    assert codec.decode(PARTITION_KEY, PARTITION_BY_VERSION_5) == full


def test_a_change_of_how_a_partition_is_stored_raises_the_version() -> None:
    full, empty = a_full_partition(), PartitionState()
    assert [name for name in full.__struct_fields__ if getattr(full, name) == getattr(empty, name)] == []
    assert JournalCodec().encode(PARTITION_KEY, full).hex() == PARTITION_BY_VERSION_5.hex()


@pytest.mark.parametrize("stored", [PARTITION_BY_VERSION_2, PARTITION_BY_VERSION_3, PARTITION_BY_VERSION_4])
def test_under_earlier_rules_a_partition_is_stored_as_their_release_reads_it(stored: bytes) -> None:
    codec = JournalCodec()
    assert codec.encode(PARTITION_KEY, codec.decode(PARTITION_KEY, stored)) == stored


def test_a_partition_of_a_later_release_is_refused() -> None:
    with pytest.raises(NewerState, match="the state of a journal partition of version"):
        JournalCodec().decode(PARTITION_KEY, frame(PARTITION_VERSION + 1, 0, b""))


def test_state_of_the_first_version_goes_on_with_the_progress_that_it_had() -> None:
    world = World(touchpoint_partitions=2)
    world.pass_time(START_MS)
    state = world.overlay.get(PARTITION_KEY)
    assert isinstance(state, PartitionState)
    stored = frame(1, 0, msgspec.msgpack.encode(msgspec.structs.astuple(state)[:7]))
    read = JournalCodec().decode(PARTITION_KEY, stored)
    assert isinstance(read, PartitionState)
    assert (read.now_ms, read.collected) == (START_MS, ())
    assert with_collected(read, CollectedTo((PartitionProgress(1, START_MS + 1),))).collected == (-1, START_MS + 1)


def test_pieces_of_models_that_no_insights_write_are_refused_and_the_state_fits_a_record() -> None:
    world = World()
    for index in range(7):
        world.append("", ModelChunk("gold", "1", index, 9, "json", bytes([index]) * 50_000))
    with pytest.raises(Rejected, match="too_large"):
        world.append("", ModelChunk("gold", "1", 7, 9, "json", bytes(60_000)))
    for kind, body in (("", b""), ("cuts", b"{")):
        with pytest.raises(Rejected, match="bad_model"):
            world.append("", ModelChunk(kind, "", -1, 0, "", body))
    with pytest.raises(Rejected, match="bad_model"):
        world.append("", ModelTick(START_MS, 1, (TickedModel("gold", "", "1"),)))
    with pytest.raises(Rejected, match="too_large"):
        world.append("", ModelChunk("gold", "2", 0, 1, "json", bytes(60_000)))
    held = world.overlay.get(PARTITION_KEY)
    assert held is not None
    assert len(JournalCodec().encode(PARTITION_KEY, held)) < OUTPUT_BYTES_MAX


def first_event_ms(world: World) -> int:
    state = world.overlay.get(PARTITION_KEY)
    assert isinstance(state, PartitionState)
    return state.first_event_ms


def test_the_beginning_of_history_only_falls_and_a_tick_that_does_not_know_it_changes_nothing() -> None:
    world, found = World(), []
    for told in (0, START_MS, START_MS + 1, 0, START_MS - 1):
        world.append("", ModelTick(START_MS, 1, first_event_ms=told))
        found.append(first_event_ms(world))
    assert found == [0, START_MS, START_MS, START_MS, START_MS - 1]


@pytest.mark.parametrize("rules", [1, 2])
def test_earlier_rules_take_no_notice_of_where_history_begins(rules: int) -> None:
    world = World(rules=rules)
    world.append("", ModelTick(START_MS, 1, first_event_ms=START_MS))
    assert first_event_ms(world) == 0


def test_settings_that_are_larger_than_those_that_we_publish_are_refused() -> None:
    world = World()
    padded = world.settings.model_dump_json() + " " * SETTINGS_BYTES_MAX
    with pytest.raises(Rejected, match="too_large"):
        world.append("", Configured(padded, 0, RULES))
