"""touchstream replay."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import (
    INTERRUPTED,
    AsJson,
    Brokers,
    Prefix,
    console,
    echo_json,
    errors_in_one_line,
    fail,
    ready_settings,
    registry_errors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.replay.files.mapped import Accounting
    from streams.replay.files.mapping import Mapping
    from streams.replay.replayer import ReplaySummary, Source, Step
    from streams.replay.target import Target
    from streams.worker_settings import WorkerSettings


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files in order of time: tables (CSV or Parquet), or .avro files of touchpoints."),
    ],
    brokers: Brokers = None,
    prefix: Prefix = None,
    mapping: Annotated[
        str | None,
        typer.Option(help="How to read tables: the name of a mapping (online_retail, rees46, ...) or a YAML file."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Speed as a multiple of real time. Default: as fast as possible.")
    ] = None,
    barriers: Annotated[
        bool, typer.Option(help="Wait for the workers at the end of each week, when models change, and at the end.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Replay past data into a prefix with the clock `marks`, then let its time run on for 8 days."""
    from schemas.container import ContainerError
    from streams.operations.create import NotCreated
    from streams.replay.barrier import SilentStage
    from streams.replay.files.mapping import MappingError, load_mapping
    from streams.replay.files.rows import ColumnFileError
    from streams.replay.files.sold import SoldError
    from streams.replay.outlet import Undeliverable
    from streams.replay.replayer import ReplayError, ReplayOptions
    from streams.replay.replayer import replay as run

    with errors_in_one_line(MappingError):
        described = None if mapping is None else load_mapping(mapping)
        source = _source(files, described)
    settings = ready_settings(brokers, prefix)
    of_files = (ColumnFileError, ContainerError, SoldError)
    of_run = (NotCreated, SilentStage, Undeliverable, ReplayError)
    with errors_in_one_line(*of_files, *of_run, *registry_errors(settings)):
        target = _target(settings)
        with _progress(files, described) as on_step:
            summary = run([source], target, ReplayOptions(speed=speed, barriers=barriers), on_step)
    if as_json:
        echo_json(summary)
    else:
        _print_summary(summary)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)


def _source(files: list[Path], mapping: Mapping | None) -> Source:
    from streams.replay.files.sources import open_files

    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        fail(f"{', '.join(missing)}: no such file")
    if len({path.resolve() for path in files}) < len(files):
        fail("a file is given twice: its last orders would count twice")
    return open_files(files, mapping)


def _target(settings: WorkerSettings) -> Target:
    from streams.operations.prefix import open_prefix
    from streams.replay.target import Target

    kafka = {**settings.kafka, "bootstrap.servers": settings.brokers}
    prefix = open_prefix(settings)
    return Target(kafka, settings.prefix, prefix.domain, prefix.wire)


@contextmanager
def _progress(files: list[Path], mapping: Mapping | None) -> Iterator[Callable[[Step], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from schemas.units import iso_time
    from streams.replay.files.sources import lines_in

    total = None
    with suppress(Exception):
        # only for the bar: mistakes in a file are reported where it is read
        total = sum(lines_in(path, mapping) for path in files)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=total)

        def on_step(step: Step) -> None:
            said = "waiting for the workers at" if step.waiting else "reached"
            bar.update(task, completed=step.lines, description=f"{said} {iso_time(step.time_ms)}")

        yield on_step


def print_account(files: dict[str, Accounting], whole: Accounting) -> None:
    """Print the lines of files by what became of them, and why lines were refused."""
    from rich.table import Table

    screen = console()
    table = Table(box=None, pad_edge=False)
    for heading in ("file", "lines", "in orders", "in refunds", "unmatched refunds", "others", "refused"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    for name, file in [*files.items(), *([("all files", whole)] if len(files) > 1 else [])]:
        counts = (
            file.lines,
            file.in_orders,
            file.in_refunds,
            file.in_unmatched_refunds,
            file.in_others,
            file.refused.total(),
        )
        table.add_row(name, *map(str, counts))
    screen.print(table)
    for name, file in files.items():
        for reason, count in file.refused.most_common():
            screen.print(f"{name}: {count} lines refused: {reason}, first {file.first_refused[reason]}", markup=False)


def _print_summary(summary: ReplaySummary) -> None:
    from schemas.units import iso_time

    screen = console()
    print_account(summary.files, summary.whole)
    rate = summary.touchpoints / summary.seconds if summary.seconds else 0.0
    screen.print(
        f"{summary.touchpoints} touchpoints, {summary.dead_letters} dead letters, {summary.marks} marks, "
        f"{summary.ticks} ticks in {summary.seconds:.1f} s ({rate:.0f} a second), "
        f"of them {summary.waited_seconds:.1f} s waiting for the workers"
    )
    if summary.continued_ms is not None and summary.whole.in_unmatched_refunds:
        screen.print(
            f"An earlier replay had brought this prefix to {iso_time(summary.continued_ms)}. Its orders are not known "
            "to this one: refunds of them are unmatched. To match them, replay all files together into a new prefix."
        )
    if summary.interrupted:
        screen.print(
            "Interrupted: the touchpoints sent so far are in Kafka, but time did not run on to the end. "
            "A replay cannot be resumed: begin it again, in a new prefix."
        )
