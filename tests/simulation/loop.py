"""An asyncio event loop in virtual time, a part of a simulated process."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from tests.simulation.scheduler import Process


_GIVES_WAY_SHARE = 0.3
"""Of the passes through what is ready: threads run between this one and the next."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """What asyncio's tasks, futures, locks and timeouts ask of a loop; `run_in_executor` starts a fiber."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ready: deque[asyncio.Handle] = deque()
        self._handed: deque[Callable[[], object]] = deque()
        """What threads have asked for, in order."""
        self._is_armed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.unheard: list[str] = []
        """What nobody retrieved: exceptions of tasks and callbacks."""

    def time(self) -> float:
        return self._process.scheduler.now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return not self._process.is_alive

    def call_soon(  # type: ignore[override] # simpler than typeshed has it
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, arguments, self, context)
        self._ready.append(handle)
        self._arm()
        return handle

    def call_soon_threadsafe(  # type: ignore[override] # simpler than typeshed has it
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._handed.append(partial(callback, *arguments))
        return self.call_soon(self._take_over, context=context)

    def _take_over(self) -> None:
        self._handed.popleft()()

    def call_later(  # type: ignore[override] # simpler than typeshed has it
        self, delay: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *arguments, context=context)

    def call_at(  # type: ignore[override] # simpler than typeshed has it
        self, when: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, arguments, self, context)

        def due() -> None:
            if not handle.cancelled():
                self._ready.append(handle)
                self._arm()

        self._process.after(when - self.time(), due)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None: ...

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task = asyncio.Task(coro, loop=self, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:  # type: ignore[override] # noqa: ARG002
        done = self.create_future()

        def resolve(result: Any, error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        def job() -> None:
            try:
                result = func(*arguments)
            except Exception as error:  # noqa: BLE001 - it belongs to the caller that awaits
                self.call_soon_threadsafe(resolve, None, error)
            else:
                self.call_soon_threadsafe(resolve, result, None)

        self._process.spawn(job)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._process.is_alive:
            self.unheard.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _arm(self) -> None:
        if not self._is_armed:
            self._is_armed = True
            self._process.after(0, self._run_ready)

    def _run_ready(self) -> None:
        asyncio._set_running_loop(self)  # noqa: SLF001 - for those who write event loops
        try:
            self._pass()
            while self._ready and self._process.scheduler.chance.random() > _GIVES_WAY_SHARE:
                self._pass()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above
        self._is_armed = False
        if self._ready:
            self._arm()

    def _pass(self) -> None:
        for _ in range(len(self._ready)):
            if not self._process.is_alive:
                self._ready.clear()
                return
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - as asyncio's own loops do

    def bury(self) -> None:
        """Close what will never go on, so that nothing of it runs at some later collection."""
        while self._handed:
            # a coroutine that was handed over becomes a task, which can be closed
            self._take_over()
        while self._tasks:
            task = self._tasks.pop()
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - asyncio's own way
            coroutine = task.get_coro()
            if coroutine is not None:
                coroutine.close()
        self._ready.clear()
