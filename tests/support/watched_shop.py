"""A shop on wall time in memory: collect counts what arrives, insights judge it, and their records come to the fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.journal import Hold
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.arriving import Arriving
from streams.collect.collector import Collected, collect
from streams.settings import DomainSettings
from tests.support.arrivals import MINUTE_MS, Watch
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Touchpoint


class WatchedShop:
    """One journal partition and insights."""

    def __init__(self, **given: Any) -> None:
        chosen = {"clock": "wall", "touchpoint_partitions": 1, "journal_partitions": 1, "consent_default": "granted"}
        self.settings = DomainSettings.model_validate({**chosen, **given})
        self.watch = Watch(**{**chosen, **given})
        self.world = World(self.settings)
        self._arriving = Arriving()
        self._seen = 0
        self.now_ms = 0

    def live(self, events: Iterable[Touchpoint], from_ms: int, to_ms: int) -> None:
        """Let touchpoints come in when they happen, and time pass by the minute."""
        waiting = sorted(events, key=lambda event: event.time_ms)
        for minute_ms in range(from_ms, to_ms, MINUTE_MS):
            while waiting and waiting[0].time_ms < minute_ms + MINUTE_MS:
                self.receive(encode(waiting[0]), waiting[0].time_ms)
                del waiting[0]
            self.pass_time(minute_ms + MINUTE_MS)

    def receive(self, value: bytes, received_ms: int) -> None:
        """Collect and fold one record, whatever its form."""
        collected = collect(value, received_ms, SINGLE_OBJECT, self.settings)
        assert isinstance(collected, Collected)
        self.note(collected.event, value, collected.received_ms)
        self.world.partition.appended_ms = received_ms
        self.world.append(collected.key.decode(), collected.event, collected.received_ms)

    def note(self, event: Touchpoint, value: bytes, received_ms: int) -> None:
        """Count a touchpoint as one that goes on, without folding it."""
        self._arriving.take([(event, received_ms, value)])

    def tell(self, to_ms: int) -> None:
        """A cycle is over: what arrived goes to insights, then time."""
        self.now_ms = to_ms
        for record in self._arriving.records():
            self.watch.hear(record)
        self._arriving.forget()
        self.watch.pass_time(to_ms)

    def pass_time(self, to_ms: int) -> None:
        """The same, and what insights say comes to the journal."""
        self.world.partition.appended_ms = to_ms
        self.world.pass_time(to_ms)
        self.tell(to_ms)
        for said in self.watch.said[self._seen :]:
            for record in said.broadcast:
                if isinstance(record, Hold):
                    self.world.append("", record)
        self._seen = len(self.watch.said)
