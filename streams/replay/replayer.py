"""Replay of the past: touchpoints in the order of time, marks of time between them, a halt at each week's tick."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.units import DAY_MS, iso_time
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.replay.barrier import SILENT_SECONDS, Barrier
from streams.replay.calendar import Calendar
from streams.replay.files.mapped import Accounting, Mapped, MappedTouchpoint, Reason, RefusedLines, account
from streams.replay.links import Links
from streams.replay.outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from streams.replay.target import Target

DRAIN_MS = 8 * DAY_MS
_REPORT_SECONDS = 0.2
_NAP_SECONDS = 0.2


class ReplayError(ValueError):
    """The replay is not possible; the message says why and what is possible."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name, for dead letters, and its contents in the order of time.

    Several files that are read as one have `others` after the first, and their contents say of which file they are.
    """

    name: str
    mapped: Iterable[Mapped]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of a replay; `waiting` while it halts for the workers."""

    time_ms: int
    touchpoints: int
    lines: int
    waiting: bool


@dataclass(slots=True)
class ReplaySummary:
    """What a replay wrote, by file; times are those of the records, seconds those of a clock on the wall."""

    files: dict[str, Accounting] = field(default_factory=dict)
    touchpoints: int = 0
    dead_letters: int = 0
    marks: int = 0
    ticks: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    end_ms: int | None = None
    continued_ms: int | None = None
    """The time that an earlier replay reached in the prefix, whose orders this one does not know."""
    seconds: float = 0.0
    waited_seconds: float = 0.0
    interrupted: bool = False

    @property
    def lines(self) -> int:
        return self.whole.lines

    @property
    def whole(self) -> Accounting:
        """Return the account of all files."""
        return sum(self.files.values(), Accounting())


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of a replay; `speed` is a multiple of real time, None means as fast as possible.

    After the last touchpoint, time runs on for `drain_ms`. Without `barriers` the replay does not wait, and results
    depend on how far the workers have come.
    """

    speed: float | None = None
    drain_ms: int = DRAIN_MS
    barriers: bool = True
    silent_seconds: float = SILENT_SECONDS


def replay(
    sources: Iterable[Source],
    target: Target,
    options: ReplayOptions | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> ReplaySummary:
    """Write the sources, one after another; call `on_step` a few times a second.

    An interrupt (Ctrl-C) ends it early: what was sent stays written, and the summary says so.

    Raises:
        ReplayError: the prefix does not have the clock `marks`, or its time is already after the sources' beginning.
        SilentStage: the workers did not follow.
        Undeliverable: the broker refused a record.
    """
    clock = target.domain.clock
    if clock != "marks":
        message = f"prefix {target.prefix}: its clock is {clock!r}, but a replay needs a prefix with the clock 'marks'"
        raise ReplayError(message)
    with _Replay(target, options or ReplayOptions(), on_step) as run:
        try:
            for source in sources:
                run.play(source)
            run.drain()
        except KeyboardInterrupt:
            run.summary.interrupted = True
        return run.finish()


class _Replay:
    def __init__(self, target: Target, options: ReplayOptions, on_step: Callable[[Step], None]) -> None:
        self.summary = ReplaySummary()
        self._target = target
        self._outlet = Outlet(target)
        self._barrier = Barrier(target, options.silent_seconds)
        self._options = options
        self._on_step = on_step
        self._calendar: Calendar | None = None
        self._links = Links()
        self._now_ms = 0
        self._lines = 0
        self._began = time.monotonic()
        self._reported = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._barrier.close()

    def play(self, source: Source) -> None:
        for name in (source.name, *source.others):
            self.summary.files.setdefault(name, Accounting())
        for mapped in source.mapped:
            outcomes = [mapped] if isinstance(mapped, RefusedLines) else self._touchpoint(mapped)
            for outcome in outcomes:
                account(self.summary.files, outcome, source.name)
                if isinstance(outcome, RefusedLines):
                    self._outlet.dead_letter(outcome, outcome.file or source.name)
                    self.summary.dead_letters += 1
            self._lines += mapped.lines
            self._report(waiting=False)

    def drain(self) -> None:
        """Let time run on, so that timers fire and windows close, and wait until all is folded."""
        if self._calendar is None or self.summary.last_ms is None:
            return
        end_ms = max(self.summary.last_ms + self._options.drain_ms, self._calendar.last_ms + 1)
        # no worker knows the time of the last mark before we listen for it
        self._marks_until(end_ms - 1)
        self._pace(end_ms)
        self._mark_and_wait(end_ms, self._barrier.wait_for_end)
        self.summary.end_ms = end_ms

    def finish(self) -> ReplaySummary:
        self._outlet.flush()
        self.summary.seconds = time.monotonic() - self._began
        return self.summary

    def _touchpoint(self, mapped: MappedTouchpoint) -> Sequence[Mapped]:
        touchpoint = mapped.touchpoint
        value = self._target.wire.encode(touchpoint)
        try:
            # what the account says of it must be what the workers will find
            collected = collect(value, touchpoint.time_ms, self._target.wire, self._target.domain)
        except RefusedRecord as refused:
            return mapped.refused(Reason(refused.reason), refused.detail)
        assert isinstance(collected, Collected)  # noqa: S101 - no mark
        calendar = self._calendar or self._begin(touchpoint.time_ms)
        if touchpoint.time_ms < calendar.last_ms:
            detail = f"happened before {iso_time(calendar.last_ms)}, which is over in this replay"
            return mapped.refused(Reason.OUT_OF_ORDER, detail)
        self._marks_until(touchpoint.time_ms)
        self._pace(touchpoint.time_ms)
        self._outlet.touchpoint(collected.key, value)
        self._links.note(touchpoint)
        self.summary.touchpoints += 1
        self.summary.last_ms = max(touchpoint.time_ms, self.summary.last_ms or touchpoint.time_ms)
        return [mapped]

    def _begin(self, first_ms: int) -> Calendar:
        reached_ms = self._barrier.reached_ms()
        if reached_ms is not None and reached_ms > first_ms:
            reached, begins = iso_time(reached_ms), iso_time(first_ms)
            message = (
                f"the replay of prefix {self._target.prefix} begins at {begins}, but its time is already {reached}: "
                "use another prefix, or later touchpoints"
            )
            raise ReplayError(message)
        self.summary.continued_ms = reached_ms
        self._calendar = Calendar(first_ms, self._target.domain.zone)
        self.summary.first_ms = first_ms
        if self._options.barriers:
            self._barrier.arm()
        return self._calendar

    def _marks_until(self, time_ms: int) -> None:
        assert self._calendar is not None  # noqa: S101 - callers began
        for due in self._calendar.until(time_ms):
            self._pace(due.time_ms)
            self._follow_links()
            if due.is_tick:
                self.summary.ticks += 1
                self._mark_and_wait(due.time_ms, self._barrier.wait_for_tick)
            else:
                self._mark(due.time_ms)
            self._report(waiting=False)

    def _mark_and_wait(self, time_ms: int, wait: Callable[[int, Callable[[], None]], None]) -> None:
        if self._options.barriers:
            self._barrier.arm()
        self._mark(time_ms)
        self._outlet.flush()
        if self._options.barriers:
            began = time.monotonic()
            wait(time_ms, lambda: self._report(waiting=True))
            self.summary.waited_seconds += time.monotonic() - began

    def _follow_links(self) -> None:
        """Wait, if devices were linked to users, until everything before the last mark is folded.

        A device's records go to its user through the journal. That takes real milliseconds, which are hours in a
        replay. The device's timers would fire before it learns that its user ordered.
        """
        if not self._links.are_under_way() or not self._options.barriers:
            return
        began = time.monotonic()
        self._outlet.serve()
        self._barrier.wait_for_fold(self._now_ms, lambda: self._report(waiting=True))
        self.summary.waited_seconds += time.monotonic() - began

    def _mark(self, time_ms: int) -> None:
        self._outlet.mark(time_ms)
        self._now_ms = time_ms
        self.summary.marks += 1

    def _pace(self, time_ms: int) -> None:
        if self._options.speed is None or self.summary.first_ms is None:
            return
        due = self._began + (time_ms - self.summary.first_ms) / 1000 / self._options.speed
        while (left := due - time.monotonic()) > 0:
            self._outlet.serve()
            self._report(waiting=False)
            time.sleep(min(left, _NAP_SECONDS))

    def _report(self, *, waiting: bool) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            self._on_step(Step(self._now_ms, self.summary.touchpoints, self._lines, waiting))
