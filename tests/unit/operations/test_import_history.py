"""An import in memory: stopped anywhere and repeated, it ends as one that was never stopped."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from schemas.journal import Imported, Landed
from schemas.outputs import DeadLetter, ProfileView
from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.fold.record import IMPORTED
from streams.operations.import_history import CannotImport, ImportSummary, import_history
from streams.operations.import_progress import import_id_of
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Origin, Reason, RefusedLines
from streams.replay.replayer import Source
from tests.support.importing import APrefix, Shop, Stopped
from tests.support.memory_worker import TOPICS, MemoryWorker, configured
from tests.support.world import DAY_MS, IMPORT_ID, START_MS, a_touchpoint, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def load(shop: Shop, mapped: list[Mapped]) -> ImportSummary:
    return import_history(APrefix(shop.worker), Source("past.csv", mapped), IMPORT_ID)  # type: ignore[arg-type]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


def _nothing() -> list[Mapped]:
    return []


def some_lines(count: int = 60) -> list[Mapped]:
    """Orders of a few customers, and now and then a line that is refused, or a guest's order."""
    chance, found = Random(5), _nothing()
    for number in range(count):
        origin = Origin("past.csv", number + 2, b"raw", 1)
        user = None if number % 11 == 3 else f"{chance.randrange(25)}"
        order = an_order(START_MS - DAY_MS * (count - number), 100 + number, user, f"o{number}", event_id=f"e{number}")
        if number % 7 == 5:
            found.append(origin.refused(Reason.ZERO_TOTAL, "nothing"))
        elif number % 13 == 8:
            # the door refuses it
            found.append(MappedTouchpoint(a_touchpoint("custom", order.time_ms, event_id="x"), 1, (origin,)))
        else:
            found.append(MappedTouchpoint(order, 1, (origin,)))
    return found


def test_every_line_is_accounted_for_and_what_is_written_is_the_account(shop: Shop) -> None:
    lines = some_lines()
    summary = load(shop, lines)
    assert summary.whole.lines == len(lines) == summary.written == summary.touchpoints + summary.dead_letters
    assert len(shop.records(Touchpoint)) == summary.touchpoints == summary.whole.in_orders
    letters = [SINGLE_OBJECT.decode(value) for value in shop.letters]
    assert {letter.stage for letter in letters if isinstance(letter, DeadLetter)} == {"import"}
    assert len(letters) == summary.dead_letters == summary.whole.refused.total()
    assert set(summary.whole.refused) == {"zero_total", "no_name"}


def test_touchpoints_are_marked_and_each_customer_lands_once_behind_their_last(shop: Shop) -> None:
    summary = load(shop, some_lines())
    customers = {key for key, _ in shop.records(Touchpoint) if key is not None and key.startswith(b"u:")}
    assert summary.customers == len(customers)
    assert sorted(key or b"" for key, _ in shop.records(Landed)) == sorted(customers)
    for journal in shop.worker.journal:
        kinds = [type(SINGLE_OBJECT.decode(each.value() or b"")) for each in journal]
        touchpoints = [at for at, kind in enumerate(kinds) if kind is Touchpoint]
        assert all(IMPORTED in dict(journal[at].headers() or ()) for at in touchpoints)
        assert max(touchpoints) < min(at for at, kind in enumerate(kinds) if kind is Landed)
    for profile in views(shop).values():
        assert profile.segment != "none"


def views(shop: Shop) -> dict[str, ProfileView]:
    found = {}
    for output in shop.worker.outputs:
        record = SINGLE_OBJECT.decode(output.value) if output.topic == TOPICS.profiles and output.value else None
        if isinstance(record, ProfileView):
            found[record.customer] = record
    return found


@pytest.mark.parametrize("where", ["before", "after", "anywhere"])
def test_an_import_that_is_stopped_and_repeated_ends_as_one_that_was_not(
    monkeypatch: pytest.MonkeyPatch, where: str, seed: int
) -> None:
    chance, lines, whole = Random(seed), some_lines(), Shop(monkeypatch)
    expected = load(whole, lines)
    again, summary, runs = Shop(monkeypatch), None, 0
    while summary is None:
        again.stops = iter(["", where] if where != "anywhere" else chance.choices(["before", "after", "", ""], k=9))
        runs += 1
        with suppress(Stopped):
            summary = load(again, lines)
    assert where == "anywhere" or runs > 4
    assert (summary.files, summary.touchpoints, summary.customers) == (
        expected.files,
        expected.touchpoints,
        expected.customers,
    )
    for kind in (Touchpoint, Landed):
        assert again.records(kind) == whole.records(kind)
    assert again.letters == whole.letters
    assert views(again) == views(whole)


def test_the_same_again_writes_nothing_and_says_so(shop: Shop) -> None:
    lines = some_lines()
    first = load(shop, lines)
    before = [len(journal) for journal in shop.worker.journal]
    second = load(shop, lines)
    assert (first.was_over, second.was_over, second.written) == (False, True, 0)
    assert second.files == first.files
    assert [len(journal) for journal in shop.worker.journal] == before
    assert shop.records(Imported)[-1][1].is_over


def test_an_interrupt_leaves_what_is_committed_and_says_so(shop: Shop) -> None:
    def interrupted() -> Iterator[Mapped]:
        yield from some_lines()[:35]
        raise KeyboardInterrupt

    summary = load(shop, interrupted())  # type: ignore[arg-type]
    assert (summary.interrupted, summary.written) == (True, 30)
    assert load(shop, some_lines()).written == 30


def test_what_cannot_be_imported_is_said_in_a_sentence(shop: Shop) -> None:
    def complaint(worker: MemoryWorker, **given: int) -> str:
        with pytest.raises(CannotImport) as raised:
            import_history(APrefix(worker, **given), Source("f", []), IMPORT_ID)  # type: ignore[arg-type]
        return str(raised.value)

    marks = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    assert "use `touchstream replay`" in complaint(marks)
    assert "rules are those of an earlier release" in complaint(shop.worker, rules=3)
    assert "no worker runs" in complaint(shop.worker, workers=0)


def test_an_import_is_known_by_contents_and_order_of_its_files(tmp_path: Path) -> None:
    one, other, same = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    one.write_bytes(b"1")
    other.write_bytes(b"11")
    same.write_bytes(b"1")
    ids = [import_id_of(paths, None) for paths in ([one], [same], [other], [one, other], [other, one], [one, one, one])]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5
    assert all(len(each) == 32 for each in ids)


def test_lines_that_were_refused_keep_their_bytes(shop: Shop) -> None:
    load(shop, [RefusedLines(Reason.BAD_NUMBER, "no number in ann@example.com", 7, b"a,b\n", 1, "past.csv")])
    (letter,) = [SINGLE_OBJECT.decode(value) for value in shop.letters]
    assert isinstance(letter, DeadLetter)
    assert (letter.source_topic, letter.source_offset, letter.value) == ("past.csv", 7, b"a,b\n")
    assert "ann@example.com" not in letter.detail
