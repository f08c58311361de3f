"""What goes in: a made shop's touchpoints at a steady rate, until the faults are over."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from threading import Event
from typing import TYPE_CHECKING

from streams.replay.replayer import ReplayOptions, Source, replay
from streams.shop.generator import Shop, ShopParameters
from tests.support.outcomes import logged_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from streams.replay.files.mapped import MappedTouchpoint
    from streams.replay.replayer import ReplaySummary
    from streams.replay.target import Target

_START, _DAYS = date(2025, 9, 2), 20
"""A Tuesday: the first weekly tick comes after some nine minutes, so that no halt disturbs the rate of most rounds."""
_SILENT_SECONDS = 240.0


def history(seed: int, *, devices: bool) -> Iterable[MappedTouchpoint]:
    """Some 320,000 touchpoints, which last for 35 minutes; without `devices` every visitor is known from the start."""
    shop = Shop(
        ShopParameters(
            seed=seed,
            start=_START,
            days=_DAYS,
            orders_per_hour=110,
            customers=4_000,
            refund_share=0.15,
            duplicate_share=0.01,
            outages=(),
        )
    )
    return shop.mapped() if devices else logged_in(shop)


class Feed:
    """Replays in the background; `sent` is what was handed to it, in order."""

    def __init__(self, mapped: Iterable[MappedTouchpoint], per_second: float) -> None:
        self.sent: list[MappedTouchpoint] = []
        self._mapped = mapped
        self._gap_s = 1 / per_second
        self._is_over = Event()
        self._thread = ThreadPoolExecutor(1, "feed")

    def start(self, target: Target) -> Future[ReplaySummary]:
        options = ReplayOptions(silent_seconds=_SILENT_SECONDS)
        # a killed broker is no news here
        target = replace(target, kafka={**target.kafka, "log_level": "0"})
        return self._thread.submit(replay, [Source("input", self._steadily())], target, options)

    def end(self) -> None:
        """Stop after the next touchpoint; the replay goes on until all is folded."""
        self._is_over.set()
        self._thread.shutdown(wait=False)

    def _steadily(self) -> Iterator[MappedTouchpoint]:
        due = time.monotonic()
        for each in self._mapped:
            if self._is_over.wait(max(0.0, due - time.monotonic())):
                return
            due += self._gap_s
            self.sent.append(each)
            yield each
        raise RuntimeError("the history ended before the faults did")
