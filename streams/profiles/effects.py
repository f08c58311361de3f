"""What folding a record asks for, as data that the runtime alone sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from xxhash import xxh3_64_digest, xxh3_128_hexdigest

from schemas import wire
from schemas.limits import BY_CHARS_MAX, CHARACTER_BYTES_MAX, OUTPUT_BYTES_MAX, OUTPUT_HEADERS_BYTES_MAX
from schemas.outputs import (
    Credit,
    DeadLetter,
    Decision,
    ProfileDivided,
    ProfileMerged,
    ProfileView,
    Revocation,
    SegmentChanged,
    Trigger,
)
from schemas.refusal import Refusal
from schemas.units import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

    from schemas.insights import PanelRow

    Appended = tuple[str | None, Any, tuple[tuple[str, bytes], ...]]
    CountKey = tuple[str, int, str]
    """(name, hour_ms, by) of a fact; hour_ms 0: it is not by hour."""

Guard = Callable[[str, str, int], None]
"""Gets a customer, a timer, and which firing of theirs it is in the record, from 1 on, before the timer's code runs.

What it raises takes the place of that code. 0: what was begun before goes on, that timer, or with empty names the
record itself.
"""
_LONG = Struct(">q")
TOPIC_OF: dict[type, str] = {
    Trigger: "triggers",
    Revocation: "triggers",
    Decision: "decisions",
    Credit: "credits",
    SegmentChanged: "segments",
    ProfileView: "profiles",
    ProfileMerged: "profiles",
    ProfileDivided: "profiles",
    DeadLetter: "dead_letters",
}
"""The topic of each type of effect, as named in streams.topics."""


class TooLarge(Refusal):
    """A record would lead to one that is larger than topics take by default."""


def sized(value: bytes, key: str | bytes) -> bytes:
    """Return a value that topics take by default, whatever their configuration is.

    Raises:
        TooLarge: it is not.
    """
    size = len(value) + CHARACTER_BYTES_MAX * len(key) + OUTPUT_HEADERS_BYTES_MAX
    if size > OUTPUT_BYTES_MAX:
        text = f"a record of up to {size} bytes would follow from it; at most {OUTPUT_BYTES_MAX} are allowed"
        raise TooLarge("too_large", text)
    return value


def derived_id(*parts: str | int) -> str:
    """Return xxh3-128 (hex) of the parts: the same id whenever the same cause is folded."""
    return xxh3_128_hexdigest("\x1f".join([str(part) for part in parts]).encode())


def hash_64(text: str) -> int:
    """Return xxh3-64 of a text as a signed long."""
    return signed_64(xxh3_64_digest(text.encode()))


def signed_64(digest: bytes) -> int:
    """Return 8 bytes, big-endian, as a signed long."""
    value: int = _LONG.unpack(digest)[0]
    return value


def added_up(counted: Counter[CountKey], increments: Iterable[tuple[CountKey, int]]) -> dict[CountKey, int]:
    """Add the increments to what was counted one by one, and return the sum of each fact."""
    for key, value in increments:
        counted[key] += value
    return counted


class Effects:
    """The effects of one record, in order; what cannot be encoded or is too large raises at once."""

    __slots__ = (
        "began",
        "encode",
        "fires",
        "guard",
        "increments",
        "journal",
        "journal_values",
        "ones",
        "outputs",
        "panel",
        "timer",
        "values",
    )

    def __init__(self, encode: Callable[[Any], bytes] = wire.encode) -> None:
        self.encode: Final = encode
        self.outputs: list[tuple[str, msgspec.Struct | None]] = []
        """(customer, record) for triggers, decisions, credits, segments, profiles, dead letters; None: it is gone."""
        self.values: list[bytes | None] = []
        """The same records as bytes."""
        self.journal: list[Appended] = []
        """(key, record or bytes, headers) back to the journal; key None: this partition itself (Wake)."""
        self.journal_values: list[bytes] = []
        """The same records as bytes."""
        self.ones: list[CountKey] = []
        """(name, hour_ms, by) to add one to, which are by far the most; what is counted twice is here twice."""
        self.increments: list[tuple[CountKey, int]] = []
        """(name, hour_ms, by) and what to add."""
        self.panel: list[PanelRow] = []
        self.fires = 0
        """How many timers the record has fired."""
        self.began = 0
        """How many when this customer's turn came."""
        self.guard: Guard | None = None
        """The record's."""
        self.timer: tuple[str, str] | None = None
        """(customer, timer) whose effects these are; None: those of the record."""

    def emit(self, customer: str, record: msgspec.Struct) -> None:
        """Send a record under the customer's key to the topic of its type."""
        self.values.append(sized(self.encode(record), customer))
        self.outputs.append((customer, record))

    def forget(self, customer: str) -> None:
        """Take the customer out of the compacted topic of profiles."""
        self.values.append(None)
        self.outputs.append((customer, None))

    def count(self, name: str, time_ms: int = 0, value: int = 1, by: str = "") -> None:
        """Add to a fact of the hour of time_ms (0: not by hour).

        No touchpoint from the door makes a longer `by` than BY_CHARS_MAX; of others the rest is cut off.
        """
        key = (name, time_ms - time_ms % HOUR_MS, by if len(by) <= BY_CHARS_MAX else by[:BY_CHARS_MAX])
        if value == 1:
            self.ones.append(key)
        else:
            self.increments.append((key, value))

    def fresh(self, customer: str, timer: str) -> Effects:
        """Return effects of the same kind for a customer's timer, without any yet; the fired timers count on.

        The record's guard may raise.
        """
        own = type(self)(self.encode)
        own.fires = own.began = self.fires
        guard = self.guard
        if guard is not None:
            guard(customer, timer, self.fires - self.began)
            own.guard, own.timer = guard, (customer, timer)
        return own

    def take(self, other: Effects) -> None:
        """Append the effects of another record or timer."""
        self.outputs += other.outputs
        self.values += other.values
        self.journal += other.journal
        self.journal_values += other.journal_values
        self.ones += other.ones
        self.increments += other.increments
        self.panel += other.panel
        self.fires = max(self.fires, other.fires)
        if self.guard is not None:
            self.guard(*(self.timer or ("", "")), 0)

    @property
    def counts(self) -> dict[CountKey, int]:
        """Return the sum to add to each fact."""
        return added_up(Counter(self.ones), self.increments)

    def append(self, key: str | None, record: Any, headers: tuple[tuple[str, bytes], ...] = ()) -> None:  # noqa: ANN401 - a struct, or bytes as they came
        """Append to the journal under another key, or with None to this very partition."""
        value: bytes = record if isinstance(record, bytes) else self.encode(record)
        self.journal_values.append(sized(value, key or ""))
        self.journal.append((key, record, headers))

    @property
    def is_of_flows_only(self) -> bool:
        """Return whether nobody asks for credit, segments and public profiles."""
        return False


class FlowEffects(Effects):
    """What flows emit and what goes back to the journal; no facts, credit, segments or public profiles."""

    __slots__ = ()

    def forget(self, customer: str) -> None:
        """Do nothing, as nobody asks for it."""

    def count(self, name: str, time_ms: int = 0, value: int = 1, by: str = "") -> None:
        """Do nothing, as nobody asks for it."""

    @property
    def is_of_flows_only(self) -> bool:
        return True
