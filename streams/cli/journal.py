"""touchstream journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, opened_prefix

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
    from streams.operations.folded_journal import export_journal

    with opened_prefix(brokers, prefix, OSError) as opened:
        count = export_journal(opened, file)
    typer.echo(f"{file}: {count} records of the journal of prefix {opened.settings.prefix}")
