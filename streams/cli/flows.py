"""touchstream flows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import told

if TYPE_CHECKING:
    from importlib.abc import Traversable

flows = typer.Typer(help="Look at flow files before they are published.", no_args_is_help=True)


@flows.command()
def schema() -> None:
    """Print the JSON Schema of a flow file, for editors; it is in deploy/flow.schema.json too."""
    from streams.flows.definition import schema_text

    typer.echo(schema_text(), nl=False)


@flows.command("test")
def play_stories(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of flow files with their stories; else the product's.")
    ] = None,
) -> None:
    """Play the stories beside flow files: given these touchpoints, these messages go out, and no others."""
    from streams.flows.files import LIBRARY
    from streams.flows.mistakes import FlowError
    from streams.stories import play, story_files

    wanted: list[Path | Traversable] = [*folders] if folders else [LIBRARY]
    with told(FlowError):
        played = [each for folder in wanted for file in story_files(folder) for each in play(file, folder)]
    for each in played:
        typer.echo(f"{'FAILED' if each.differences else 'ok    '}  {each.file}: {each.story}")
        for line in each.differences:
            typer.echo(f"        {line}")
    failed = sum(bool(each.differences) for each in played)
    typer.echo(f"{len(played)} stories, {failed} failed")
    if failed:
        raise typer.Exit(1)
