"""Signs that a request of a transaction may have been sent twice."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.kafka.config import RETRY_BACKOFF_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPEATED_SECONDS = 0.8 * RETRY_BACKOFF_MS / 1_000
"""librdkafka waits `retry.backoff.ms`, less a fifth at most, before it repeats a request that it had sent: what was
answered sooner was sent once."""
LOG_LEVEL = 6
"""The least `log_level` (syslog's numbers) at which librdkafka's log has the signs."""
_SIGNS = ("FAIL", "REQTMOUT")
"""Facilities of librdkafka's log: a connection broke, a request was given up."""
_REFUSED = "TXNERR"
_REASONS = ("Message size too large", "RecordBatch larger", "Broker failed to validate record")
"""How librdkafka's log says that a broker refuses a record of the transaction."""
_LEVELS = (logging.CRITICAL, logging.CRITICAL, logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)
"""Of confluent-kafka, by syslog's numbers; then INFO, then DEBUG."""


class Doubts(logging.Handler):
    """Watches calls that end a transaction; as a handler it reads the client's log, which says no less than a call.

    It passes lines on up to `log_level` (syslog's numbers), as far as the program's own logging asks for them.
    """

    def __init__(self, name: str, clock_s: Callable[[], float], log_level: int = LOG_LEVEL) -> None:
        super().__init__()
        self.any = False
        """Whether a request may have been repeated since `clear`."""
        self.has_refusal = False
        """Whether a broker refused a record since `clear`."""
        self.logger = logging.getLogger(f"confluent.{name}")
        self.logger.handlers = [self]
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self._shown = logging.getLogger("confluent")
        self._shown_least = (*_LEVELS, logging.INFO, logging.DEBUG)[min(log_level, 7)]
        self._clock_s = clock_s

    def note(self) -> None:
        """Note that a call failed, or has to be made again."""
        self.any = True

    def clear(self) -> None:
        """Forget all signs: a new producer refuses late requests."""
        self.any = self.has_refusal = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note a call that failed, or took as long as a repeated one does."""
        began_s, is_quick = self._clock_s(), False
        try:
            yield
            is_quick = self._clock_s() - began_s < REPEATED_SECONDS
        finally:
            if not is_quick:
                self.note()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the client's log in."""
        line = record.getMessage()
        if line.startswith(_SIGNS):
            self.note()
        if line.startswith(_REFUSED) and any(reason in line for reason in _REASONS):
            self.has_refusal = True
        if record.levelno >= self._shown_least and self._shown.isEnabledFor(record.levelno):
            self._shown.handle(record)
