"""touchstream import."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.replay import print_account
from streams.cli.shared import (
    INTERRUPTED,
    AsJson,
    Brokers,
    console,
    echo_json,
    errors_in_one_line,
    fail,
    opened_prefix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.operations.import_history import ImportStep, ImportSummary


def import_history(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files in order of time: tables (CSV or Parquet), or .avro files of touchpoints."),
    ],
    into: Annotated[str, typer.Option(help="Prefix into which the history goes; its workers run.")],
    mapping: Annotated[
        str | None,
        typer.Option(help="How to read tables: the name of a mapping (online_retail, rees46, ...) or a YAML file."),
    ] = None,
    share: Annotated[
        float, typer.Option(min=1, max=100, help="Percent of the workers' time to take. 100: as fast as they fold.")
    ] = 25.0,
    brokers: Brokers = None,
    as_json: AsJson = False,
) -> None:
    """Load history into a prefix that runs: profiles, credit and KPIs are right, and nobody gets a message by it.

    After an interrupt the same command goes on where it was. Once all is loaded it changes nothing.
    """
    from schemas.container import ContainerError
    from streams.operations.import_history import CannotImport
    from streams.operations.import_history import import_history as run
    from streams.operations.import_pace import WorkersSilent
    from streams.operations.import_progress import import_id_of
    from streams.replay.files.mapping import MappingError, load_mapping
    from streams.replay.files.rows import ColumnFileError
    from streams.replay.files.sold import SoldError
    from streams.replay.files.sources import open_files

    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        fail(f"{', '.join(missing)}: no such file")
    if len({path.resolve() for path in files}) < len(files):
        fail("a file is given twice: its last orders would count twice")
    with errors_in_one_line(MappingError, OSError):
        how = None if mapping is None else load_mapping(mapping)
        source, import_id = open_files(files, how), import_id_of(files, how)
    of_files = (ColumnFileError, ContainerError, SoldError)
    with opened_prefix(brokers, into, *of_files, CannotImport, WorkersSilent) as opened, _progress(files) as on_step:
        summary = run(opened, source, import_id, on_step, share)
    if as_json:
        echo_json(summary)
    else:
        _print_summary(summary)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _progress(files: list[Path]) -> Iterator[Callable[[ImportStep], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from schemas.units import iso_time
    from streams.replay.files.sources import lines_in

    total = None
    with suppress(Exception):
        # only for the bar: mistakes in a file are reported where it is read
        total = sum(lines_in(path) for path in files)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=total)

        def on_step(step: ImportStep) -> None:
            if step.landed:
                said = "customers at their places"
                bar.update(task, completed=step.landed, total=step.customers, description=said)
            else:
                said = f"lines up to {iso_time(step.time_ms)}" if step.time_ms else "lines"
                bar.update(task, completed=step.lines, description=said)

        yield on_step


def _print_summary(summary: ImportSummary) -> None:
    screen = console()
    print_account(summary.files, summary.whole)
    screen.print(
        f"{summary.touchpoints} touchpoints of {summary.customers} customers, {summary.dead_letters} dead letters, "
        f"of which this run wrote {summary.written} in {summary.seconds:.1f} s"
    )
    if summary.was_over:
        screen.print("All of it was loaded before, so nothing was written.")
    if summary.interrupted:
        screen.print("Interrupted: what is written stays. Run the same command again, and it goes on from there.")
