"""What the model's consumer and producer share: a process, and the moments at which things go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException

from tests.simulation.scheduler import Killed, nap

if TYPE_CHECKING:
    from tests.simulation.faults import Faults
    from tests.simulation.model_broker import ModelBroker
    from tests.simulation.scheduler import Process

_NAP_SHARE = 0.3


class ModelMessage:
    """A fetched record, an end of partition, or a delivered record."""

    __slots__ = ("_at", "_error", "_headers", "_key", "_timestamp_ms", "_value")

    def __init__(  # noqa: PLR0917 - a message has so many parts
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
        timestamp_ms: int = 0,
        error: KafkaError | None = None,
    ) -> None:
        self._at = topic, partition, offset
        self._key, self._value, self._headers = key, value, headers
        self._timestamp_ms, self._error = timestamp_ms, error

    def topic(self) -> str:
        return self._at[0]

    def partition(self) -> int:
        return self._at[1]

    def offset(self) -> int:
        return self._at[2]

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return list(self._headers) or None

    def timestamp(self) -> tuple[int, int]:
        return (TIMESTAMP_LOG_APPEND_TIME if self._timestamp_ms else TIMESTAMP_CREATE_TIME), self._timestamp_ms

    def error(self) -> KafkaError | None:
        return self._error


class ModelClient:
    """One client in a process. `_call` goes before each call that counts, `_called` after it."""

    def __init__(self, process: Process, broker: ModelBroker, faults: Faults) -> None:
        self.process = process
        self._broker = broker
        self._faults = faults

    def _call(self, name: str) -> str | None:
        """Let others run, then what fails here: the kind of a fault that the call itself has to play."""
        self._check_alive()
        if self.process.scheduler.chance.random() < _NAP_SHARE:
            nap(self.process, 0)
        kind = self._faults.before(name, self.process)
        if kind == "refuse":
            raise again("no answer yet")
        return kind

    def _check_alive(self) -> None:
        if not self.process.is_alive:
            raise Killed

    def _called(self, name: str, kind: str | None = None) -> None:
        self._faults.after(name, self.process)
        if kind == "lose_answer":
            raise again("the answer was lost")

    def _wait(self, seconds: float) -> None:
        nap(self.process, seconds)


def again(why: str) -> KafkaException:
    """Make the error of a call that may be repeated."""
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, why, retriable=True))  # noqa: SLF001 - its name


def as_headers(headers: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, bytes(value)) for name, value in headers or ())
