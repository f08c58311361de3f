"""One round: a fresh broker and prefix, a steady input, faults, and the comparison with a calm run."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from schemas.units import DAY_MS
from streams.demo.servers.broker import KAFKA_VERSION
from streams.demo.servers.server import LOCALHOST
from streams.flows.language.files import library_documents
from streams.replay.replayer import Source
from tests.chaos.claims import Found, at_least_once, exactly_once
from tests.chaos.crew import Crew
from tests.chaos.faults import FULL, KINDS, Stage, plan
from tests.chaos.feed import Feed, history
from tests.chaos.late import HANGING_MS
from tests.chaos.results import Fault, Round
from tests.chaos.watch import Watch
from tests.chaos.worker import RAISED, SHOW
from tests.late_requests.lab import a_lab
from tests.support.outcomes import read_outcome
from tests.support.running import a_worker, make_place, play, wait_worked_off

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.replay.replayer import ReplaySummary
    from tests.late_requests.lab import Lab
    from tests.support.outcomes import Outcome
    from tests.support.running import Place

PARTITIONS = 3
_RECOVERY_SECONDS = 120.0
_AT_ONCE_SHARE = 0.2
"""Of the faults: the next one does not wait until all works again."""
_CUTS = {
    "recency_ms": [DAY_MS // 4, DAY_MS // 2, DAY_MS, 2 * DAY_MS],
    "frequency": [1, 2, 3, 5],
    "monetary_minor": [2_000, 5_000, 10_000, 20_000],
}


class Order(NamedTuple):
    """What is asked for: `kills` of workers in this round, or only these `kinds`; the seed decides all else."""

    seed: int
    number: int
    kills: int
    guarantee: str = "exactly_once"
    kafka: str = KAFKA_VERSION
    per_second: float = 150.0
    kinds: tuple[str, ...] = ()


class _Run:
    """A round while it runs."""

    def __init__(self, order: Order, folder: Path, lab: Lab, tell: Callable[[str], None]) -> None:
        self.chance = Random(f"{order.seed}/{order.number}")
        # what a device did reaches its user in an order of luck: the effects of two runs differ then
        self.devices = order.guarantee == "exactly_once" and order.number % 3 == 2
        self.membership = self.chance.choice(["dynamic", "static"])
        self.place = self._place(lab, folder / "killed", f"chaos-{order.seed}-{order.number}")
        self.calm_place = self._place(lab, folder / "calm", f"calm-{order.seed}-{order.number}")
        given: dict[str, object] = {
            "guarantee": order.guarantee,
            "membership": self.membership,
            "brokers": f"{LOCALHOST}:{lab.proxy.port}",
            "kafka_socket_timeout_ms": HANGING_MS,
        }
        self.crew = Crew(self.place, self.chance.choice([2, 3]), **given)
        self.stage = Stage(self.crew, lab, self.chance)
        self.feed = Feed(history(self.chance.randrange(1 << 30), devices=self.devices), order.per_second)
        self.faults: list[Fault] = []
        self._kinds = list(order.kinds) or plan(self.chance, order.kills)
        self._tell = tell

    def _place(self, lab: Lab, folder: Path, prefix: str) -> Place:
        folder.mkdir(parents=True)
        return make_place(
            lab.broker.bootstrap,
            prefix,
            folder,
            flows=library_documents(),
            cuts_fixed=_CUTS,
            touchpoint_partitions=PARTITIONS,
            journal_partitions=PARTITIONS,
        )

    def disturb(self) -> ReplaySummary:
        """All faults, while the input goes on; then until all is worked off and the workers have left."""
        self._feeding = feeding = self.feed.start(self.place.target)
        watch = Watch(self.place)
        try:
            self._await(watch, time.time(), "the workers began")
            for kind in self._kinds:
                self._one(watch, kind)
        finally:
            watch.close()
            self.feed.end()
        self.crew.wait_until(feeding.done, 300.0, "the replay ended")
        summary = feeding.result()
        wait_worked_off(self.place, 120.0)
        for code in self.crew.stop():
            if code not in {0, -signal.SIGTERM}:
                self.stage.notes[f"exit code {code} at the end"] += 1
        return summary

    def _one(self, watch: Watch, kind: str) -> None:
        began, kills = time.time(), self.stage.kills
        awaited_from = KINDS[kind](self.stage)
        if self.chance.random() < _AT_ONCE_SHARE:
            recovery_s = None
            self.crew.pause(self.chance.uniform(0, 2))
        else:
            self._await(watch, awaited_from, kind)
            recovery_s = round(watch.worked_at(awaited_from) - began, 2)
            self.crew.pause(self.chance.uniform(0.2, 1.5))
        self.faults.append(Fault(kind, round(began, 3), recovery_s, self.stage.kills - kills))
        self._tell(f"{len(self.faults)}/{len(self._kinds)} {kind}: {recovery_s} s")

    def _await(self, watch: Watch, since_s: float, what: str) -> None:
        def works() -> bool:
            if self._feeding.done():
                self._feeding.result()  # what ended it: without input nobody could work
            return watch.works_since(since_s)

        try:
            self.crew.wait_until(works, _RECOVERY_SECONDS, f"all works after: {what}")
        except AssertionError as error:
            for slot in self.crew.slots:
                slot.signal(SHOW)
            self.crew.pause(2.0)
            raise AssertionError(f"{error}; silent: {watch.silent_since(since_s)}") from error

    def calm(self) -> Outcome:
        """The same input again, to one worker that nothing happens to."""
        with a_worker(self.calm_place):
            play(self.calm_place, Source("input", self.feed.sent))
        return read_outcome(self.calm_place)


def run_round(order: Order, folder: Path, tell: Callable[[str], None]) -> Round:
    """Runs and checks; `folder` must be new, and holds broker, state and logs afterwards."""
    began = time.monotonic()
    with ExitStack() as closing:
        lab = closing.enter_context(a_lab(0.0, order.seed, folder / "broker", order.kafka))
        run = _Run(order, folder, lab, tell)
        closing.callback(run.crew.kill)
        summary = run.disturb()
        tell("worked off; now calm")
        calm, killed = run.calm(), read_outcome(run.place)
        found = _check(order, run, summary, killed, calm)
        notes = {**run.stage.notes, "transactions": lab.proxy.counts["ends"], **_logged(run.crew)}
        return Round(
            seed=order.seed,
            number=order.number,
            kafka=order.kafka,
            guarantee=order.guarantee,
            membership=run.membership,
            workers=len(run.crew.slots),
            devices=run.devices,
            touchpoints=len(run.feed.sent),
            effects=killed.ids.total(),
            seconds=round(time.monotonic() - began, 1),
            faults=run.faults,
            exits={str(code): times for code, times in sorted(run.crew.codes.items())},
            notes=notes,
            lost=found.lost,
            doubled=found.doubled,
            broken=[*found.broken, *_ended_wrong(run.stage), *run.crew.crashes],
        )


def _check(order: Order, run: _Run, summary: ReplaySummary, killed: Outcome, calm: Outcome) -> Found:
    if order.guarantee == "at_least_once":
        return at_least_once(run.place, run.feed.sent, killed, calm)
    return exactly_once(run.place, run.feed.sent, summary, killed, calm, devices=run.devices)


def _logged(crew: Crew) -> dict[str, int]:
    texts = {
        "stores set aside": '"state unreadable"',
        "batches or agents that raised": f"RuntimeError: {RAISED}",
        "full disks named in a log": FULL,
    }
    return {what: crew.logged(text) for what, text in texts.items()}


def _ended_wrong(stage: Stage) -> list[str]:
    return [f"{times} workers with {what}" for what, times in stage.notes.items() if what.startswith("exit code")]
