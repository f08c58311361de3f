"""touchstream flows."""

from __future__ import annotations

import typer

flows = typer.Typer(help="Look at flow files before they are published.", no_args_is_help=True)


@flows.command()
def schema() -> None:
    """Print the JSON Schema of a flow file, for editors; it is in deploy/flow.schema.json too."""
    from streams.flows.definition import schema_text

    typer.echo(schema_text(), nl=False)


@flows.callback()
def _group() -> None:
    """Keeps a group of one command a group."""
