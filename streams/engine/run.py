"""Running an app as a process, until SIGTERM or a crash."""

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
        # mode waits a second here before it closes the loop, but everything that we started has ended
        await asyncio.sleep(0)


def run(app: App) -> NoReturn:
    """Run `app` in this process, with logging as it is. Exit with 0 after SIGTERM or SIGINT, else with 1."""
    worker = _Worker(app, quiet=True, override_logging=False)
    worker.spinner = None
    worker.execute_from_commandline()
