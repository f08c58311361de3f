"""The engine's log, switched off, for what it warns of is what a simulation does to it; and how its processes begin."""

from __future__ import annotations

import gc
from typing import Any, NoReturn

import structlog

_OBJECTS = 100_000
"""Before garbage is looked for: there is much of it, and little memory is at stake."""


def quiet() -> None:
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger("critical"))


def begin() -> None:
    """Begin a process that plays one case after another."""
    quiet()
    gc.freeze()
    gc.set_threshold(_OBJECTS)


def _drop(*_: Any) -> NoReturn:
    raise structlog.DropEvent
