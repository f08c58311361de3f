"""The brokers' time, by which records are stamped, as far as a worker can know it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streams.kafka.journal import appended_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from streams.kafka.offsets import PartitionId

FRESH_SECONDS_MAX = 60.0
"""How long a stamp is believed: clocks that only rise drift by less than a twentieth of a second in that time."""
ASK_SECONDS = 10.0
"""Least time between two writes that only ask for a stamp."""

_log = structlog.get_logger(__name__)


class _Stamp(NamedTuple):
    """A broker's stamp of a record, and the worker's rising clock when it began to send it and when it heard of it."""

    time_ms: int
    began_s: float
    heard_s: float


class BrokerClock:
    """A clock made of the brokers' stamps of a worker's own records, and of a clock of its own that only rises.

    A stamp is set before the worker hears of it. What has passed since it heard is added, so the time given is never
    later than the broker's. It is earlier by what the report took. A machine that was suspended has a rising clock
    that stopped: then the time is late until the next stamp. Of several brokers the slowest clock counts.

    The worker's wall clock decides nothing. How far it is apart is shown, since such a machine needs a hand.
    Stamps may be noted on any thread.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time) -> None:
        self.clock_s = clock_s
        self._wall_s = wall_s
        self._stamps: dict[PartitionId, _Stamp] = {}
        self._asked_s: float | None = None
        self._is_silent = False

    def heard(self, message: Message, began_s: float) -> None:
        """Note the report of a delivery that began at `began_s` by the rising clock."""
        time_ms = appended_ms(message)
        topic, partition = message.topic(), message.partition()
        if time_ms:
            self._stamps[topic, partition] = _Stamp(time_ms, began_s, self.clock_s())
        elif not self._is_silent:
            self._is_silent = True
            _log.error(
                "brokers do not stamp this topic, so time comes from touchpoints alone and customers without any wait: "
                "run `touchstream topics create` with your settings",
                topic=topic,
            )

    def listener(self) -> Callable[[Message], None]:
        """Return what takes in the reports of records that are sent now."""
        began_s = self.clock_s()
        return lambda message: self.heard(message, began_s)

    def now_ms(self) -> int | None:
        """Return the brokers' time; None: no stamp is fresh.

        There is none for an earlier moment. The machine may have been suspended since, and its rising clock with it.
        """
        now_s = self.clock_s()
        times = [each.time_ms + (now_s - each.heard_s) * 1_000 for each in self._fresh(now_s)]
        return int(min(times)) if times else None

    def wants_stamp(self) -> bool:
        """Return whether to write something only to get a stamp."""
        now_s = self.clock_s()
        is_asking = self._asked_s is not None and now_s - self._asked_s < ASK_SECONDS
        return not is_asking and not self._fresh(now_s)

    def asked(self) -> None:
        """Note that a record is on its way whose stamp will be heard of."""
        self._asked_s = self.clock_s()

    def forget_asked(self) -> None:
        """Note that what was on its way may not have arrived."""
        self._asked_s = None

    @property
    def wall_ahead_s(self) -> float:
        """Return how far the wall clock is surely ahead of the broker's that differs most; nan: not known.

        A stamp was set between two moments that are known, so a slow broker alone shows no difference.
        """
        now_s = self.clock_s()
        wall_s = self._wall_s() - now_s
        ahead = [
            min(max(0.0, wall_s + each.began_s - each.time_ms / 1_000), wall_s + each.heard_s - each.time_ms / 1_000)
            for each in self._fresh(now_s)
        ]
        return max(ahead, key=abs, default=float("nan"))

    def _fresh(self, moment_s: float) -> list[_Stamp]:
        return [each for each in list(self._stamps.values()) if moment_s - each.heard_s <= FRESH_SECONDS_MAX]
