"""A process that has to end does end, whatever blocks it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import structlog

END_SECONDS = 10.0
"""For how long a worker that has crashed may take to leave its group and to close its stores."""

_log = structlog.get_logger(__name__)


def end_soon(seconds: float = END_SECONDS) -> None:
    """End this process with exit code 1 in so many seconds, unless it has ended by then.

    The state needs no farewell: what is committed is in the topics, and what is not comes again.
    """
    timer = threading.Timer(seconds, _end, [seconds])
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    with suppress(Exception):
        _log.critical("worker did not end by itself", seconds=seconds)
    os._exit(1)
