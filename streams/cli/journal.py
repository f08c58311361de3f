"""touchstream journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, ready_settings, registry_errors

journal = typer.Typer(help="Keep the journal of a prefix in a file.", no_args_is_help=True)


@journal.callback()
def _group() -> None:
    """Without it typer makes one command of a group of one."""


@journal.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to, an .avro file.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
) -> None:
    """Write the journal, as far as it has been folded, to an Avro file that `backtest --file` reads without Kafka."""
    from streams.operations.create import NotCreated
    from streams.operations.folded_journal import export_journal
    from streams.operations.prefix import open_prefix

    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated, OSError, *registry_errors(settings)):
        count = export_journal(open_prefix(settings), file)
    typer.echo(f"{file}: {count} records of the journal of prefix {settings.prefix}")
