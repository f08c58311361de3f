"""A step that does not end ends the process, and leaves behind which records it had in hand."""

from __future__ import annotations

import asyncio
import faulthandler
import time
from typing import TYPE_CHECKING, Protocol

from streams.engine.in_hand import InHand

if TYPE_CHECKING:
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


class StepLimit:
    """A limit on how long the event loop may be busy without a break.

    All that may wait for a broker or a lock does so off the loop, so a loop that is busy for so long hangs. A thread of
    Python could not end it: a pattern that backtracks keeps the interpreter's lock. So `faulthandler` does, with a
    thread in C, which prints where every thread is and exits with 1. Its timer costs a thread each time it is set
    (100 us). So it is set at most once a second, by the loop itself and between slices of a batch.

    A process that was suspended for longer than the limit ends as it wakes, unless the machine itself slept.
    """

    def __init__(self, seconds: float) -> None:
        self.renew_seconds = min(_RENEW_SECONDS_MAX, seconds / 4)
        self._seconds = seconds
        self._renewed_s: float | None = None

    def renew(self) -> bool:
        """Let the limit begin again, if it was not renewed just now; return whether it was renewed."""
        now_s = time.monotonic()
        if self._renewed_s is not None and now_s - self._renewed_s < self.renew_seconds:
            return False
        self._renewed_s = now_s
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=_STDERR)
        return True

    def lift(self) -> None:
        """Limit nothing any more."""
        self._renewed_s = None
        faulthandler.cancel_dump_traceback_later()


class StepWatch:
    """The limit, and the file of what is in hand, in a worker's state folder."""

    slice_records = SLICE_RECORDS

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._in_hand = InHand(folder / IN_HAND)
        self._limit = StepLimit(seconds)
        self._is_closed = False
        self._next: asyncio.TimerHandle | None = None
        self.take, self.clear = self._in_hand.take, self._in_hand.clear

    def start(self) -> None:
        self.renew()
        self._next = asyncio.get_running_loop().call_later(self._limit.renew_seconds, self.start)

    def renew(self) -> None:
        if not self._is_closed and self._limit.renew():
            self._in_hand.note_time(int(time.time() * 1_000))

    def hold(self, first: int, last: int) -> None:
        self.renew()
        self._in_hand.hold(first, last)

    def close(self) -> None:
        self._is_closed = True
        if self._next is not None:
            self._next.cancel()
        self._limit.lift()


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
