"""The engine's log, switched off: what it warns of is what a simulation does to it."""

from __future__ import annotations

from typing import Any, NoReturn

import structlog


def quiet() -> None:
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger("critical"))


def _drop(*_: Any) -> NoReturn:
    raise structlog.DropEvent
