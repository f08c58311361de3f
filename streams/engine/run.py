"""Running an app as a process of its own, until SIGTERM or a crash."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import faust

from streams.engine.garbage import collect_rarely

if TYPE_CHECKING:
    from streams.engine.driver import App


class _Worker(faust.Worker):
    async def on_startup_finished(self) -> None:
        await super().on_startup_finished()
        collect_rarely()

    async def _sentinel_task(self) -> None:
        # mode waits a second here before it closes the loop; all that we started has ended
        await asyncio.sleep(0)


def run(app: App) -> NoReturn:
    """Run `app` here; leaves logging as it is. Exits with 0 after SIGTERM or SIGINT, else with 1."""
    worker = _Worker(app, quiet=True, override_logging=False)
    worker.spinner = None
    worker.execute_from_commandline()
