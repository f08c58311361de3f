"""History into a prefix that runs: touchpoints of files go into its journal, in transactions that say how far they are.

Each part is one transaction: touchpoints, dead letters of refused lines, and `Imported`. So after a kill the next run
reads the files from their beginning, which it must to match refunds and lines of orders, and writes only what is not
written. When all are, each customer gets `Landed`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from schemas.journal import RULES_4, Imported, Landed
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.fold.record import journal_headers
from streams.kafka.partitioner import partition_of_key
from streams.kafka.publisher import Publisher, in_chunks
from streams.operations.import_pace import SHARE, Pace
from streams.operations.import_progress import PARTITION, progress_of
from streams.operations.met import Met
from streams.operations.prefix import earlier_rules
from streams.profiles.keys import is_customer
from streams.replay.files.mapped import Accounting, Reason, RefusedLines, account
from streams.replay.outlet import letter_of
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.operations.prefix import Prefix
    from streams.replay.files.mapped import MappedTouchpoint
    from streams.replay.replayer import Source

STAGE = "import"
"""Of the dead letters of refused lines."""
OUTCOMES_A_PART = 100
"""Touchpoints and refused lines in one transaction: the workers take some 20 to 60 ms for them."""
LANDED_A_PART = 200
_NAME = "import"
_REPORT_SECONDS = 0.2


class CannotImport(Exception):
    """History cannot be brought here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportStep:
    """The progress of an import: lines that were read, and customers whom it has left."""

    lines: int
    time_ms: int
    landed: int = 0
    customers: int = 0


@dataclass(slots=True)
class ImportSummary:
    """The account of an import: of the whole files, however many runs it took."""

    import_id: str
    files: dict[str, Accounting] = field(default_factory=dict)
    touchpoints: int = 0
    dead_letters: int = 0
    customers: int = 0
    written: int = 0
    """Touchpoints and dead letters that this run wrote."""
    was_over: bool = False
    """Whether an earlier run had brought all of it."""
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def whole(self) -> Accounting:
        """Return the account of all files."""
        return sum(self.files.values(), Accounting())


class _Item(NamedTuple):
    """A record of a part, for one of the prefix's topics."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def import_history(
    prefix: Prefix,
    source: Source,
    import_id: str,
    on_step: Callable[[ImportStep], None] = lambda _: None,
    share: float = SHARE,
) -> ImportSummary:
    """Bring the history in a source into a prefix; call `on_step` a few times a second. It may be repeated.

    `share`: percent of the workers' time that it takes.

    An interrupt (Ctrl-C) ends it early: what is committed stays, and the same call goes on from there.

    Raises:
        CannotImport: the prefix has no wall clock, earlier rules or no worker, or another import began meanwhile.
        WorkersSilent: the workers do not fold what is written.
        KafkaException: the brokers refuse it; what is not committed is not done.
    """
    _check(prefix)
    began = time.monotonic()
    with Met() as met, Pace(prefix, share) as pace:
        run = _Import(prefix, source, ImportSummary(import_id), (met, pace, on_step))
        try:
            run.bring()
            run.land()
        except KeyboardInterrupt:
            run.summary.interrupted = True
    run.summary.seconds = time.monotonic() - began
    return run.summary


def _check(prefix: Prefix) -> None:
    name = prefix.settings.prefix
    if prefix.domain.clock != "wall":
        raise CannotImport(f"prefix {name}: its clock is {prefix.domain.clock!r}: use `touchstream replay`")
    if prefix.rules < RULES_4:
        raise CannotImport(earlier_rules(prefix))
    if not prefix.members():
        raise CannotImport(f"prefix {name}: no worker runs, and an import goes at the pace of the workers: start one")


class _Import:
    def __init__(
        self,
        prefix: Prefix,
        source: Source,
        summary: ImportSummary,
        parts: tuple[Met, Pace, Callable[[ImportStep], None]],
    ) -> None:
        self.summary = summary
        self._prefix = prefix
        self._source = source
        self._topics = Topics(prefix.settings.prefix)
        self._met, self._pace, self._on_step = parts
        # an import before this one, of whatever files, is fenced from here on
        self._publisher = Publisher(prefix.settings, _NAME)
        self._done = progress_of(prefix, summary.import_id)
        self._lines = self._time_ms = 0
        self._reported = 0.0
        summary.was_over = self._done.is_over

    def bring(self) -> None:
        """Write what is not written yet of the files, and account for all of them."""
        for name in (self._source.name, *self._source.others):
            self.summary.files.setdefault(name, Accounting())
        number = self._done.outcomes
        for part in in_chunks(self._unwritten(), lambda item: len(item.value), OUTCOMES_A_PART):
            number += len(part)
            self._write(part, Imported(self.summary.import_id, number))
            self.summary.written += len(part)
        self.summary.customers = len(self._met)

    def land(self) -> None:
        """Let the customers be where they are."""
        if self._done.is_over:
            return
        import_id, outcomes, landed = self.summary.import_id, self._done.outcomes, self._done.landed
        for part in in_chunks(self._landing(), lambda item: len(item.key), LANDED_A_PART):
            landed += len(part)
            self._write(part, Imported(import_id, outcomes, landed))
        self._write([], Imported(import_id, outcomes, landed, is_over=True))

    def _unwritten(self) -> Iterator[_Item]:
        """Yield the records of outcomes that are not written yet; all are accounted for."""
        for number, item in enumerate(self._items(), 1):
            if number > self._done.outcomes:
                yield item
            self._report()

    def _items(self) -> Iterator[_Item]:
        for mapped in self._source.mapped:
            if isinstance(mapped, RefusedLines):
                yield self._letter(mapped)
            else:
                yield from self._taken(mapped)
            self._lines += mapped.lines

    def _taken(self, mapped: MappedTouchpoint) -> Iterator[_Item]:
        """Yield what the door makes of a touchpoint, or the letters of its lines if it refuses it."""
        event, wire, domain = mapped.touchpoint, self._prefix.wire, self._prefix.domain
        try:
            collected = collect(wire.encode(event), int(time.time() * 1_000), wire, domain)
        except RefusedRecord as refused:
            for lines in mapped.refused(Reason(refused.reason), refused.detail):
                yield self._letter(lines)
            return
        assert isinstance(collected, Collected)  # noqa: S101 - no mark
        account(self.summary.files, mapped, self._source.name)
        self.summary.touchpoints += 1
        self._time_ms = event.time_ms
        if is_customer(collected.key.decode()):
            self._met.note(collected.key)
        partition = partition_of_key(collected.key, domain.journal_partitions)
        # history was received when it happened: a grant of then is older than a withdrawal of today
        headers = journal_headers(event.time_ms, is_imported=True)
        yield _Item(self._topics.journal, partition, collected.key, collected.value, headers)

    def _letter(self, refused: RefusedLines) -> _Item:
        account(self.summary.files, refused, self._source.name)
        self.summary.dead_letters += 1
        file = refused.file or self._source.name
        letter = letter_of(refused, file, STAGE)
        return _Item(self._topics.dead_letters, 0, file.encode(), self._prefix.wire.encode(letter), ())

    def _landing(self) -> Iterator[_Item]:
        value = self._prefix.wire.encode(Landed(self.summary.import_id))
        for key in self._met.behind(self._done.landed):
            partition = partition_of_key(key, self._prefix.domain.journal_partitions)
            yield _Item(self._topics.journal, partition, key, value, ())

    def _write(self, items: list[_Item], progress: Imported) -> None:
        """Commit a part, and return when the workers have folded it and rested."""
        if self._publisher.renew() and progress_of(self._prefix, self.summary.import_id) != self._done:
            raise CannotImport("another import of the same files has begun: leave it to that one")
        with self._publisher.transaction():
            for item in items:
                self._publisher.send(*item)
            self._publisher.send(self._topics.journal, PARTITION, None, self._prefix.wire.encode(progress))
        self._done = progress
        self._pace.wait(self._report)

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            self._on_step(ImportStep(self._lines, self._time_ms, self._done.landed, len(self._met)))
