"""A journal partition in memory that folds what it sends back: for stories, backtests and tests."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from schemas import wire
from schemas.journal import RULES, Configured, ModelTick, PartitionProgress, Progress
from schemas.limits import TIME_MS_MIN
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.collect.keys import key_of
from streams.fold.attempt import Folded, as_it_is, attempt
from streams.fold.fold import Fold
from streams.fold.partition_state import WHOLE_PPM, JournalCodec
from streams.fold.record import AGAIN, IMPORTED, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint
    from streams.fold.attempt import Refused
    from streams.profiles.effects import Effects
    from streams.settings import DomainSettings


Outcome: TypeAlias = "Folded[Record, Effects] | Refused"


class Partition:
    """The only partition of a journal: what it sends to any key comes back to it, in order."""

    def __init__(self, settings: DomainSettings) -> None:
        self.settings = settings
        self.overlay: Overlay[Any] = Overlay(MemoryStore(), JournalCodec())
        self.fold = Fold(self.overlay)
        self.appended_ms = 0
        """When a broker appends what comes next; 0: no broker says so."""

    def configure(self, rules: int = RULES) -> Iterator[Outcome]:
        """Append the settings, the first record of every journal."""
        return self.append("", Configured(self.settings.model_dump_json(), 0, rules))

    def begin(self, first_event_ms: int) -> Iterator[Outcome]:
        """Append a tick without models that says where the shop's history begins."""
        tick = ModelTick(0, WHOLE_PPM, first_event_ms=max(first_event_ms, TIME_MS_MIN))
        return self.append("", tick)

    def send(self, touchpoint: Touchpoint, received_ms: int | None = None) -> Iterator[Outcome]:
        """Append a touchpoint as collect would; None: it was received when it happened.

        Raises:
            ValueError: the touchpoint names no customer.
        """
        key = key_of(touchpoint)
        if key is None:
            raise ValueError(f"touchpoint {touchpoint.event_id} names no customer")
        return self.append(key.decode(), touchpoint, touchpoint.time_ms if received_ms is None else received_ms)

    def bring(self, touchpoint: Touchpoint) -> Iterator[Outcome]:
        """Append a touchpoint of the past as an import would.

        Raises:
            ValueError: the touchpoint names no customer.
        """
        key = key_of(touchpoint)
        if key is None:
            raise ValueError(f"touchpoint {touchpoint.event_id} names no customer")
        return self.append(key.decode(), touchpoint, touchpoint.time_ms, is_imported=True)

    def pass_time(self, until_ms: int) -> Iterator[Outcome]:
        """Append the progress of every input partition to a time."""
        partitions = range(self.settings.touchpoint_partitions)
        return self.append("", Progress(tuple(PartitionProgress(number, until_ms) for number in partitions)))

    def append(
        self,
        key: str,
        value: Any,  # noqa: ANN401 - any record of the journal
        received_ms: int = 0,
        hops: int = 0,
        *,
        is_imported: bool = False,
    ) -> Iterator[Outcome]:
        """Fold a record and everything that it sends back to the journal; yield each record's outcome lazily."""
        raw = wire.encode(value)
        first = Record(key, value, raw, received_ms, hops, appended_ms=self.appended_ms, is_imported=is_imported)
        waiting = deque([first])
        while waiting:
            outcome = attempt(self.fold, as_it_is, waiting.popleft(), self.overlay.roll_back)
            yield outcome
            if isinstance(outcome, Folded):
                waiting += [_returned(*appended, self.appended_ms) for appended in outcome.effects.journal]


def _returned(key: str | None, appended: Any, headers: tuple[tuple[str, bytes], ...], appended_ms: int) -> Record:  # noqa: ANN401 - a struct, or bytes as they came
    raw = appended if isinstance(appended, bytes) else wire.encode(appended)
    named = dict(headers)
    received_ms = int.from_bytes(named.get("received_at_ms", b""), "big")
    hops = named.get("hops", b"\x00")[0]
    return Record(
        key or "",
        wire.decode(raw),
        raw,
        received_ms,
        hops,
        appended_ms=appended_ms,
        is_again=AGAIN in named,
        is_imported=IMPORTED in named,
    )
