"""The replay of one run with a progress bar; it ends if it takes too long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from schemas.units import iso_time
from streams.replay.replayer import replay
from streams.replay.target import Target

if TYPE_CHECKING:
    from rich.console import Console

    from streams.demo.report.runs import Run
    from streams.demo.worker import Worker
    from streams.replay.replayer import ReplaySummary, Step
    from streams.worker_settings import WorkerSettings

RUN_SECONDS_MAX = 300.0


class WorkerEnded(RuntimeError):
    """The worker crashed during a run; the message contains the end of its log."""


class TooSlow(RuntimeError):
    """A run took too long; the message says how far it came and which stage has records left."""


def replayed(run: Run, settings: WorkerSettings, worker: Worker, lines: int, console: Console) -> ReplaySummary:
    """Play the run at full speed until everything is processed, with the days that time runs on after it.

    Raises:
        WorkerEnded: the worker crashed.
        TooSlow: it took longer than RUN_SECONDS_MAX.
        SilentStage: a stage did not move for a minute.
        KeyboardInterrupt: it was interrupted.
    """
    kafka = {**settings.kafka, "bootstrap.servers": settings.brokers}
    give_up_at = time.monotonic() + RUN_SECONDS_MAX
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[at]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(run.title, total=lines, at="")

        def on_step(step: Step) -> None:
            halted = ", waiting for the worker" if step.waiting else ""
            bar.update(task, completed=step.lines, at=f"lines, at {iso_time(step.time_ms)[:10]}{halted}")
            if worker.exit_code is not None:
                raise WorkerEnded(f"{run.title}: the worker ended, exit code {worker.exit_code}:\n{worker.log_tail()}")
            if time.monotonic() > give_up_at:
                raise TooSlow(_said(run, worker, step))

        summary = replay([run.source()], Target(kafka, settings.prefix, run.domain), on_step=on_step)
        bar.update(task, completed=summary.lines, at="lines")
    if summary.interrupted:
        raise KeyboardInterrupt
    return summary


def _said(run: Run, worker: Worker, step: Step) -> str:
    lags = worker.lags()
    if lags:
        left = ", ".join(f"{stage} has {count:,} records left" for stage, count in lags.items())
    else:
        left = "the worker does not answer"
    return f"{run.title}: not finished after {RUN_SECONDS_MAX:.0f} s, at {iso_time(step.time_ms)} of its time: {left}"
