"""touchstream journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, ready_settings, registry_errors

journal = typer.Typer(help="Save the journal of a prefix to a file.", no_args_is_help=True)


@journal.callback()
def _group() -> None:
    """Keep `export` a subcommand: without this, typer would make the group itself the command."""


@journal.command()
def export(
    file: Annotated[Path, typer.Argument(help="The .avro file to write.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Write the journal, as far as workers have processed it, to an Avro file.

    `touchstream backtest --file` reads it without Kafka.
    """
    from streams.operations.create import NotCreated
    from streams.operations.folded_journal import export_journal
    from streams.operations.prefix import open_prefix

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated, OSError, *registry_errors(settings)):
        count = export_journal(open_prefix(settings), file)
    typer.echo(f"{file}: {count} records of the journal of prefix {settings.prefix}")
