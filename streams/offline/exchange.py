"""What the partitions of a backtest send each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128_digest

from schemas import wire
from schemas.journal import Absorbed, SlotsDue
from schemas.touchpoint import Touchpoint

if TYPE_CHECKING:
    from streams.fold.record import Record


class Exchange:
    """What was sent with the flows to try: most of it is in the journal too, where it waits until it was sent here."""

    def __init__(self) -> None:
        self.sent: deque[tuple[str, Any]] = deque()
        """(key, record) on its way between profiles and their addresses, which the journal has otherwise."""
        self.due: deque[tuple[str, SlotsDue]] = deque()
        """Addresses that wait until all partitions have come to a time."""
        self._noted: dict[bytes, deque[Any]] = {}
        """What was sent and has not been met in the journal."""

    def append(self, key: str, value: Any) -> None:  # noqa: ANN401 - a SlotAsked, a SlotAnswered or a SlotsDue
        """Take what a partition sends."""
        if type(value) is SlotsDue:
            self.due.append((key, value))
        else:
            self.sent.append((key, value))

    def note(self, key: str, value: Any) -> None:  # noqa: ANN401 - any record of the journal, or its bytes
        """Take what a partition sends that the journal has too."""
        self._noted.setdefault(_name(key, value), deque()).append(value)

    def is_there(self, record: Record) -> bool:
        """Return whether what a record of the journal has was sent here."""
        return _name_of(record) in self._noted

    def arrived(self, record: Record) -> Any:  # noqa: ANN401 - any record of the journal
        """Return the value of a record as it was sent here; that of the journal if it was not."""
        value = record.value
        name = _name_of(record)
        waiting = self._noted.get(name)
        if waiting is None:
            return value
        own = waiting.popleft()
        if not waiting:
            del self._noted[name]
        return own if type(own) is Absorbed else value


def _name_of(record: Record) -> bytes:
    # a touchpoint goes on with its bytes, all else may have been framed otherwise
    return _name(record.key, record.raw if type(record.value) is Touchpoint else record.value)


def _name(key: str, value: Any) -> bytes:  # noqa: ANN401 - any record of the journal, or its bytes
    """Return what is the same for a record under any flows: of a profile that is handed over, whose it is."""
    if type(value) is Absorbed:
        return f"{key} {value.source}".encode()
    raw = value if isinstance(value, bytes) else wire.encode(value)
    return xxh3_128_digest(key.encode() + b" " + raw)
