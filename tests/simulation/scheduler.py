"""Virtual time: every step of every process in one heap, its order decided by a seed."""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation.loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_QUICK_S, _SLOW_S = 0.000_5, 0.02
_SLOW_SHARE = 0.05


class Killed(GreenletExit):  # type: ignore[misc] # greenlet carries no types
    """Ends a thread of a process that is no more: no `except Exception` holds it."""


class Scheduler:
    """A clock that moves from step to step; how long a step takes is chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.now_s = 0.0
        self._steps: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, time_s: float, step: Callable[[], None]) -> None:
        self._number += 1
        heappush(self._steps, (time_s, self._number, step))

    def after(self, wait_s: float, step: Callable[[], None]) -> None:
        share = self.chance.random()
        self.at(self.now_s + wait_s + share * (_SLOW_S if share < _SLOW_SHARE else _QUICK_S), step)

    def pass_time(self, seconds: float) -> None:
        """Take all steps of that time."""
        until_s, steps = self.now_s + seconds, self._steps
        while steps and steps[0][0] <= until_s:
            self.now_s, _, step = heappop(steps)
            step()
        self.now_s = until_s


class Process:
    """What lives and dies together: an event loop and its threads, each a fiber that runs until it waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.is_alive = True
        self.held_until_s = 0.0
        # of what a loop can do asyncio itself asks but a part
        self.loop = VirtualLoop(self)  # type: ignore[abstract]
        self.on_silent: list[Callable[[], None]] = []
        """Called when it is killed or stopped: no heartbeat comes from now on."""
        self._fibers: list[Fiber] = []

    def after(self, wait_s: float, step: Callable[[], None]) -> None:
        """Take a step of this process, unless it has ended; later, if it is held up."""
        self.scheduler.after(wait_s, partial(self._take, step))

    def _take(self, step: Callable[[], None]) -> None:
        if not self.is_alive:
            return
        if self.held_until_s > self.scheduler.now_s:
            self.scheduler.at(self.held_until_s, partial(self._take, step))
            return
        step()

    def spawn(self, run: Callable[[], None]) -> Fiber:
        """Start a thread."""
        self._fibers = [fiber for fiber in self._fibers if not fiber.is_done]
        fiber = Fiber(self, run)
        self._fibers.append(fiber)
        self.after(0, fiber.resume)
        return fiber

    def hold(self, seconds: float) -> None:
        """Stop the whole process for a while, as SIGSTOP does."""
        self.held_until_s = self.scheduler.now_s + seconds
        self._fall_silent()
        nap(self, 0)

    def kill(self) -> None:
        """End it as SIGKILL does; code that runs in it must not continue: raise Killed."""
        if self.is_alive:
            self.is_alive = False
            self._fall_silent()
            # what runs now has to unwind first
            self.scheduler.at(self.scheduler.now_s, self._bury)

    def _bury(self) -> None:
        for fiber in self._fibers:
            fiber.end()
        self.loop.bury()

    def _fall_silent(self) -> None:
        for tell in self.on_silent:
            tell()


class Fiber:
    """A thread of a process; it gives way only in `nap`."""

    def __init__(self, process: Process, run: Callable[[], None]) -> None:
        self._process = process
        self._greenlet = greenlet(run)

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    def resume(self) -> None:
        if not self._greenlet.dead:
            self._greenlet.switch()

    def end(self) -> None:
        if self._greenlet and not self._greenlet.dead:
            self._greenlet.throw(Killed)


def nap(process: Process, seconds: float) -> None:
    """Give way to others; on an event loop, which must not wait, this does nothing."""
    fiber = getcurrent()
    if fiber.parent is None:
        return
    process.after(seconds, fiber.switch)
    fiber.parent.switch()
    if not process.is_alive:
        raise Killed
