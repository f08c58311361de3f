"""touchstream repartition."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, echo_json, opened_prefix, worker_settings


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
    from streams.operations.repartition import CannotRepartition
    from streams.operations.repartition import repartition as copy

    with opened_prefix(brokers, prefix, WrongTopics, CannotRepartition, NewerState) as source:
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
