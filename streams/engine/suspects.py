"""Which records a worker may have hung at, and which do hang; kept in its state folder until they are passed."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

import msgspec
import structlog

from streams.engine.hung import Hung
from streams.engine.in_hand import left_in_hand
from streams.engine.step_watch import IN_HAND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from threading import Event

    from streams.engine.hung import Trial
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

HUNG = "hung.json"
"""The file's name in a worker's state folder."""

_log = structlog.get_logger(__name__)


class _Noted(msgspec.Struct):
    """What is noted of one partition."""

    topic: str
    partition: int
    suspected_to: int | None = None
    """The last offset that was in hand; None: nothing is suspected."""
    hung: list[Hung] = []


class Suspects:
    """What is noted, by partition. A worker without these notes learns by its own first hang.

    An earlier process that had records in hand has hung at one of them, or it was killed. If not even the limit has
    passed since it began with them, it was killed.
    """

    def __init__(self, folder: Path, in_hand: Path, seconds: float, trial: Trial) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / HUNG
        self._trial = trial
        self._lock = Lock()
        self._noted = {(each.topic, each.partition): each for each in _read(self._path)}
        left = left_in_hand(in_hand)
        if left is None:
            return
        away_s = time.time() - left.began_ms / 1_000
        _log.warning(
            "the last process ended with records in hand",
            topic=left.place[0],
            partition=left.place[1],
            first_offset=left.first,
            last_offset=left.last,
            seconds_ago=round(away_s, 1),
            will_be_tried=away_s >= seconds,
        )
        if away_s >= seconds:
            self._of(left.place).suspected_to = left.last
            self._write()

    def _of(self, place: PartitionId) -> _Noted:
        return self._noted.setdefault(place, _Noted(*place))

    def examine(self, place: PartitionId, cancelled: Event) -> Sequence[Hung]:
        """Try what is suspected of an assigned partition, and return its records that hang; blocks for minutes."""
        with self._lock:
            noted = self._noted.get(place)
        if noted is None:
            return ()
        while noted.suspected_to is not None and not cancelled.is_set():
            hung = self._trial(place, noted.suspected_to, noted.hung, cancelled)
            known = {each.what for each in noted.hung}
            if hung is not None and hung.timer is not None and hung.what in known:
                # it hangs again although that timer fails: the record itself does
                hung = hung._replace(timer=None)
            if hung is not None and hung.what not in known:
                _log.error(
                    "record hangs: it is set aside" if hung.timer is None else "timer hangs: it is set aside",
                    topic=place[0],
                    partition=place[1],
                    offset=hung.offset,
                    timer=None if hung.timer is None else hung.timer[1],
                    trace=hung.detail,
                )
                noted.hung = [*noted.hung, hung]
            elif not cancelled.is_set():
                _log.info("no other record hangs", topic=place[0], partition=place[1], last_offset=noted.suspected_to)
                noted.suspected_to = None
            with self._lock:
                self._write()
        return tuple(noted.hung)

    def passed(self, place: PartitionId, committed: int) -> None:
        """Forget the records before the committed offset."""
        noted = self._noted.get(place)
        if noted is None:
            return
        with self._lock:
            noted.hung = [each for each in noted.hung if each.offset >= committed]
            if not noted.hung and noted.suspected_to is None:
                del self._noted[place]
            self._write()

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(list(self._noted.values())))
        fresh.replace(self._path)


def suspects_of(settings: EngineSettings, trial: Trial | None) -> Suspects | None:
    """Return what a worker may have hung at; None: it cannot be tried."""
    if trial is None:
        return None
    return Suspects(settings.state_dir, settings.state_dir / IN_HAND, settings.step_seconds_max, trial)


def _read(path: Path) -> list[_Noted]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Noted])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        # a power cut may leave anything in it; the next hang brings it to light again
        _log.warning("notes of hanging records are unreadable", path=str(path), error=str(error))
        return []
