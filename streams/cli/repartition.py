"""touchstream repartition."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.shared import (
    AsJson,
    Brokers,
    Prefix,
    console,
    echo_json,
    errors_in_one_line,
    ready_settings,
    registry_errors,
    worker_settings,
)


def repartition(
    to: Annotated[int, typer.Option(help="Partitions of the new journal: a multiple of the present number.")],
    into: Annotated[str, typer.Option(help="Name of the new prefix.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Copy the journal of a prefix into a new prefix with more partitions. Stop the workers first."""
    from state.codec import NewerState
    from streams.kafka.topics import WrongTopics
    from streams.operations.create import NotCreated
    from streams.operations.prefix import open_prefix
    from streams.operations.repartition import CannotRepartition
    from streams.operations.repartition import repartition as copy

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated, WrongTopics, CannotRepartition, NewerState, *registry_errors(settings)):
        source = open_prefix(settings)
        target = worker_settings(brokers, into)
        with console(stderr=True).status("copying") as status:
            count = source.domain.journal_partitions
            copied = copy(source, target, to, lambda done: status.update(f"copied partition {done + 1} of {count}"))
    if as_json:
        echo_json(copied)
        return
    typer.echo(
        f"copied {copied.journal} records of the journal and {copied.dead_letters} dead letters; "
        f"prefix {into} is ready: start workers with TOUCHSTREAM_PREFIX={into}"
    )
