"""touchstream worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, ready_settings, registry_errors


def worker(
    brokers: Brokers = None,
    prefix: Prefix = None,
    instance: Annotated[
        str | None, typer.Option(help="Name of this worker: the same over restarts, and used by no other worker.")
    ] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Folder for this worker's state.")] = None,
    web_port: Annotated[int | None, typer.Option(help="Port for health, metrics and profile pages.")] = None,
) -> None:
    """Run a worker until SIGTERM. Other settings come from TOUCHSTREAM_* variables (see `touchstream settings`)."""
    settings = ready_settings(brokers, prefix, instance=instance, state_dir=state_dir, web_port=web_port)
    from streams.engine.errors import NeedsPerson
    from streams.fold.attempt import OF_LATER
    from streams.operations.create import NotCreated
    from streams.worker import run_worker

    with errors_in_one_line(NotCreated, NeedsPerson, *OF_LATER, *registry_errors(settings)):
        run_worker(settings)


def try_records(
    topic: Annotated[str, typer.Argument(help="The input topic.")],
    partition: Annotated[int, typer.Argument(help="Its partition.")],
    last: Annotated[int, typer.Argument(help="Offset of the last record to try.")],
    limit: Annotated[float, typer.Argument(help="For how many seconds each may take.")],
) -> None:
    """Try records at which a worker may have hung. Workers run this; nobody else needs it."""
    from streams import worker as trying

    trying.try_records((topic, partition), last, limit)
