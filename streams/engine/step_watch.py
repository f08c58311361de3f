"""A step that does not end ends the process, and leaves behind which records it had in hand."""

from __future__ import annotations

import asyncio
import faulthandler
import time
from typing import TYPE_CHECKING, Protocol

from streams.engine.in_hand import InHand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.kafka.offsets import PartitionId

IN_HAND = "in-hand"
"""The mapped file's name in a worker's state folder."""
SLICE_RECORDS = 16
"""How many records are in hand at once: to note each would cost 650 instructions, 1 % of all work on it."""
_RENEW_SECONDS_MAX = 1.0
_STDERR = 2


class Watch(Protocol):
    """What watches over the steps of a worker; all is called on the event loop."""

    slice_records: int
    """How many records to hold at once."""

    def start(self) -> None:
        """Watch from now on."""
        ...

    def renew(self) -> None:
        """Let the limit begin again: this thread goes on."""
        ...

    def take(self, place: PartitionId) -> None:
        """Begin with a batch of this partition."""
        ...

    def hold(self, first: int, last: int) -> None:
        """Begin with the records of these offsets."""
        ...

    def clear(self) -> None:
        """Note that the batch is done, or has raised."""
        ...

    def close(self) -> None:
        """Watch no more."""
        ...


class StepWatch:
    """A limit on how long the event loop may be busy without a break.

    All that may wait for a broker or a lock does so off the loop, so a loop that is busy for so long hangs. A thread of
    Python could not end it: a pattern that backtracks keeps the interpreter's lock. So `faulthandler` does, with a
    thread in C, which prints where every thread is and exits with 1. Its timer costs a thread each time it is set
    (100 us). So it is set at most once a second, by the loop itself and between slices of a batch.

    A process that was suspended for longer than the limit ends as it wakes, unless the machine itself slept.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        slice_records: int = SLICE_RECORDS,
        *,
        name: str = IN_HAND,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.slice_records = slice_records
        self._in_hand = InHand(folder / name)
        self._seconds = seconds
        self._renew_seconds = min(_RENEW_SECONDS_MAX, seconds / 4)
        self._renewed_s: float | None = None
        self._is_closed = False
        self._next: asyncio.TimerHandle | None = None
        self._clock_s = clock_s
        self.take, self.clear = self._in_hand.take, self._in_hand.clear

    def start(self) -> None:
        self.renew()
        self._next = asyncio.get_running_loop().call_later(self._renew_seconds, self.start)

    def renew(self) -> None:
        now_s = self._clock_s()
        if self._is_closed or (self._renewed_s is not None and now_s - self._renewed_s < self._renew_seconds):
            return
        self._renewed_s = now_s
        self._in_hand.note_time(int(time.time() * 1_000))
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=_STDERR)

    def hold(self, first: int, last: int) -> None:
        self.renew()
        self._in_hand.hold(first, last)

    def close(self) -> None:
        self._is_closed = True
        if self._next is not None:
            self._next.cancel()
        faulthandler.cancel_dump_traceback_later()


class Unwatched:
    """No limit and no file, for a batch outside of a worker."""

    slice_records = SLICE_RECORDS

    def start(self) -> None: ...
    def renew(self) -> None: ...
    def take(self, place: PartitionId) -> None: ...
    def hold(self, first: int, last: int) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


UNWATCHED = Unwatched()
