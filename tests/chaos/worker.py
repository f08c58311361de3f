"""The product's worker, which raises where it is told to: `python -m tests.chaos.worker`, settings from TOUCHSTREAM_*.

RAISE_IN_BATCH makes the next batch of any agent raise when half of its effects are out, RAISE_IN_AGENT the next
agent that is given one. SHOW makes it write to its log what each of its threads
and tasks does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from streams import agents
from streams.processors.collecting import Collecting
from streams.processors.insighting import Insighting
from streams.processors.profiling import Profiling
from streams.worker import run_worker
from streams.worker_settings import parse_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from streams.engine.batch import Batch, Output

RAISE_IN_BATCH = signal.SIGRTMIN
RAISE_IN_AGENT = signal.SIGRTMIN + 1
SHOW = signal.SIGRTMIN + 2
RAISED = "the chaos run asked for this"

_armed: set[int] = set()


def _raise_if(armed: int) -> None:
    if armed in _armed:
        _armed.discard(armed)
        raise RuntimeError(RAISED)


def _processor(kind: Any) -> None:
    process: Callable[[Any, Batch], Iterator[Output]] = kind.process

    def raising(self: Any, batch: Batch) -> Iterator[Output]:
        outputs = list(process(self, batch))
        yield from outputs[: len(outputs) // 2]
        if batch.messages:
            _raise_if(RAISE_IN_BATCH)
        yield from outputs[len(outputs) // 2 :]

    kind.process = raising


def _agent(name: str) -> None:
    doorway: Callable[[Any], Coroutine[Any, Any, None]] = getattr(agents, name)

    async def watched(stream: Any) -> AsyncIterator[Batch]:
        async for batch in stream:
            _raise_if(RAISE_IN_AGENT)
            yield batch

    @wraps(doorway)
    async def raising(stream: Any) -> None:
        await doorway(watched(stream))

    setattr(agents, name, raising)


def _show_tasks(*_: object) -> None:
    for task in asyncio.all_tasks():
        awaited: Any = task.get_coro()
        places = []
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
            places.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}" if frame else repr(awaited)[:80])
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
        print(task.get_name()[:20], " > ".join(places), file=sys.stderr)  # noqa: T201 - to the log


def main() -> None:
    signal.signal(SHOW, _show_tasks)
    faulthandler.register(SHOW, chain=True)
    for armed in (RAISE_IN_BATCH, RAISE_IN_AGENT):
        signal.signal(armed, lambda number, _: _armed.add(number))
    for kind in (Collecting, Profiling, Insighting):
        _processor(kind)
    for name in ("collect", "profiles", "insights"):
        _agent(name)
    run_worker(parse_worker())


if __name__ == "__main__":
    main()
