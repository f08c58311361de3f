"""A fold that begins at a checkpoint ends where one from the beginning does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from schemas.wire import SINGLE_OBJECT
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from streams.offline.backtest import backtest
from streams.offline.checkpoints import Checkpoint, Checkpoints, UnfitCheckpoint
from streams.offline.marks import Aside
from streams.offline.refold import Contents, refold
from streams.offline.trial import Past, Trial
from streams.offline.verify import Verification, verify
from tests.support.flows import TEN
from tests.support.kept import Kept, KeptJournal, KeptTopics
from tests.support.months import CART, FOR_EVER_MS, Heard, happen, lived
from tests.support.spoilt import changed, lost, twice
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.kept import KeptWorld

Topics = dict[str, list[Kept]]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def month_and_month(seed: int) -> tuple[KeptWorld, Topics, Topics]:
    """The topics after a month, and after more of the same customers."""
    world = lived(seed, TEN)
    first = world.topics()
    happen(world, seed + 1, start_ms=START_MS + 70 * DAY_MS)
    return world, first, world.topics()


def verified(topics: Topics, checkpoints: Checkpoints | None = None) -> Verification:
    return verify(KeptTopics(topics), 1, SINGLE_OBJECT, checkpoints=checkpoints)


def test_verify_from_a_checkpoint_finds_what_verify_from_the_beginning_finds(
    seed: int, checkpoints: Checkpoints
) -> None:
    _, first, second = month_and_month(seed)
    assert verified(first, checkpoints).journal == len(first["journal"])
    rest = verified(second, checkpoints)
    assert rest.holds
    assert rest.journal == len(second["journal"]) - len(first["journal"]) > 0
    assert verified(second).holds
    assert verified(second, checkpoints).journal == 0


def test_the_state_and_the_sums_are_those_of_a_fold_from_the_beginning(seed: int, checkpoints: Checkpoints) -> None:
    _, first, second = month_and_month(seed)
    verified(first, checkpoints)
    start = checkpoints.last(0)
    assert start is not None
    whole = refold(second["journal"], SINGLE_OBJECT)
    rest = refold(second["journal"][start.place.offset :], SINGLE_OBJECT, start=start)
    assert list(rest.state.items()) == list(whole.state.items())
    assert rest.sums == whole.sums
    assert rest.place == whole.place


def test_a_checkpoint_keeps_where_the_shops_history_begins(seed: int, checkpoints: Checkpoints) -> None:
    world = lived(seed, TEN)
    world.begin(START_MS)
    verified(world.topics(), checkpoints)
    start = checkpoints.last(0)
    assert start is not None
    held = JournalCodec().decode(PARTITION_KEY, start.state.get(PARTITION_KEY) or b"")
    assert isinstance(held, PartitionState)
    assert held.first_event_ms == START_MS
    happen(world, seed + 1, start_ms=START_MS + 200 * DAY_MS)
    assert verified(world.topics(), checkpoints).holds


@pytest.mark.parametrize("topic", ["triggers", "decisions", "credits", "segments", "profiles", "facts"])
@pytest.mark.parametrize("spoil", [lost, changed, twice])
def test_what_is_wrong_behind_a_checkpoint_is_found_and_makes_no_further_one(
    seed: int, checkpoints: Checkpoints, topic: str, spoil: Callable[[list[Kept]], list[Kept]]
) -> None:
    _, first, second = month_and_month(seed)
    verified(first, checkpoints)
    if topic == "profiles" and spoil is twice:
        return  # of a key only the last value counts
    found = verified({**second, topic: spoil(second[topic])}, checkpoints)
    assert {name for name, count in found.different.items() if count} == {topic}
    assert checkpoints.starts(FOR_EVER_MS) == {0: len(first["journal"]) - 1}


def test_what_was_set_aside_before_a_checkpoint_counts_once(seed: int, checkpoints: Checkpoints) -> None:
    topics = lived(seed, CART).topics()
    poison = Kept(b"u:9", b"no record", (("received_at_ms", bytes(8)),), len(topics["journal"]))
    topics["journal"].append(poison)
    whole = refold(topics["journal"], SINGLE_OBJECT, Aside({poison.offset(): ()}))
    checkpoints.write(checkpoint_of(whole))
    start = checkpoints.last(0)
    assert start is not None
    assert start.place.offset == poison.offset() - 1
    rest = refold(topics["journal"][start.place.offset :], SINGLE_OBJECT, Aside({poison.offset(): ()}), start)
    assert rest.sums == whole.sums


def checkpoint_of(folded: Contents) -> Checkpoint:
    assert folded.place is not None
    return Checkpoint(folded.place, {}, folded.sums, folded.state)


@pytest.mark.parametrize("days", [4, 12])
def test_a_backtest_from_a_checkpoint_foretells_what_one_from_the_beginning_does(
    seed: int, checkpoints: Checkpoints, days: int
) -> None:
    world, first, _ = month_and_month(seed)
    verified(first, checkpoints)
    last = checkpoints.last(0)
    assert last is not None
    from_ms = last.place.announced_ms + days * DAY_MS
    trial = Trial(CART, from_ms, FOR_EVER_MS, is_alone=True)
    whole, rest = Heard(from_ms), Heard(from_ms)
    in_all = backtest(Past(KeptJournal(world.journal), SINGLE_OBJECT), trial, whole)
    behind = backtest(Past(KeptJournal(world.journal), SINGLE_OBJECT, checkpoints), trial, rest)
    assert rest.of_customers == whole.of_customers
    assert rest.outcomes == whole.outcomes
    assert behind.records == in_all.records - len(first["journal"])


def test_a_backtest_takes_no_checkpoint_from_behind_its_beginning(seed: int, checkpoints: Checkpoints) -> None:
    world, first, _ = month_and_month(seed)
    verified(first, checkpoints)
    trial = Trial(CART, START_MS + DAY_MS, FOR_EVER_MS)
    folded = backtest(Past(KeptJournal(world.journal), SINGLE_OBJECT, checkpoints), trial, Heard())
    assert folded.records == len(world.journal)


def test_a_checkpoint_of_another_journal_is_refused(seed: int, checkpoints: Checkpoints) -> None:
    verified(lived(seed, CART).topics(), checkpoints)
    other = lived(seed + 1, CART).topics()
    with pytest.raises(UnfitCheckpoint, match=r"partition 0 at offset [0-9]+ belongs to another journal"):
        verified(other, checkpoints)


def test_a_checkpoint_of_another_journal_is_refused_by_a_backtest(seed: int, checkpoints: Checkpoints) -> None:
    verified(lived(seed, CART).topics(), checkpoints)
    last = checkpoints.last(0)
    assert last is not None
    other = [
        replace(record, kept_key=b"a:x" if record.kept_offset == last.place.offset else record.kept_key)
        for record in lived(seed, CART).journal
    ]
    trial = Trial(CART, FOR_EVER_MS - 1, FOR_EVER_MS)
    for journal in (other, other[: last.place.offset], lived(seed + 1, CART).journal):
        with pytest.raises(UnfitCheckpoint, match=r"partition 0 at offset [0-9]+ belongs to another journal"):
            backtest(Past(KeptJournal(journal), SINGLE_OBJECT, checkpoints), trial, Heard())


def test_a_damaged_checkpoint_is_refused(seed: int, checkpoints: Checkpoints, tmp_path: Path) -> None:
    verified(lived(seed, CART).topics(), checkpoints)
    (path,) = (tmp_path / "checkpoints").iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UnfitCheckpoint, match=r"avro: .*cut off or damaged"):
        checkpoints.last(0)


def test_a_checkpoint_whose_state_was_changed_is_refused(seed: int, checkpoints: Checkpoints, tmp_path: Path) -> None:
    verified(lived(seed, CART).topics(), checkpoints)
    (path,) = (tmp_path / "checkpoints").iterdir()
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        schema: Any = reader.writer_schema
        records: list[Any] = list(reader)
    records[-1]["value"] += b"x"
    with path.open("wb") as file:
        fastavro.writer(file, schema, records)
    with pytest.raises(UnfitCheckpoint, match="its state was changed after it was written"):
        checkpoints.last(0)
