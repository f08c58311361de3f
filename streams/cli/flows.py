"""touchstream flows: flow files, before they are published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import publishing
from streams.cli.shared import Brokers, Prefix, errors_in_one_line, loaded, ready_settings

if TYPE_CHECKING:
    from importlib.abc import Traversable


flows = typer.Typer(help="Check flow files, publish them, and see which are published.", no_args_is_help=True)
flows.command()(publishing.publish)
flows.command()(publishing.pause)
flows.command()(publishing.resume)
flows.command("list")(publishing.list_published)

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Flow files, or folders of them. Default: the flows that come with touchstream."),
]


@flows.command("files")
def list_files(files: Files = None) -> None:
    """List the flows in files. Copy one that comes with touchstream to make your own."""
    from streams.flows.language.durations import duration_text

    for file, flow in loaded(files):
        messages = ", ".join(step.name for step in flow.steps if step.do == "trigger")
        typer.echo(f"{flow.id} v{flow.version}: {flow.message_class}, priority {flow.priority}, for {flow.owner}")
        floor = f", {duration_text(flow.entry.floor_ms)} or more after the last order" if flow.entry.floor_ms else ""
        typer.echo(f"  starts at {', '.join(flow.entry.segment or (flow.entry.words,))}{floor}")
        if flow.history_ms:
            typer.echo(f"  needs a shop with a history of {duration_text(flow.history_ms)}")
        typer.echo(f"  sends {messages} by {', '.join(flow.ordered_channels)}")
        typer.echo(f"  {file}")


@flows.command()
def lint(
    files: Files = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="File of settings; its catalogue of attributes is compared with what the flows name."),
    ] = None,
) -> None:
    """Check flow files, alone and together: mistakes, opposed exits, messages on one day, cycles, absence without days.

    The exit code is 1 where flows conflict, or name attributes that the catalogue lacks.
    """
    from streams.flows.language.attribute_checks import mistakes
    from streams.flows.language.conflicts import conflicts
    from streams.flows.language.mistakes import FlowError
    from streams.operations.settings_file import catalogue

    flows_found = loaded(files)
    with errors_in_one_line(FlowError):
        attributes = catalogue(settings)
    found = [str(conflict) for conflict in conflicts([flow for _, flow in flows_found])]
    for _, flow in flows_found:
        wrong = list(mistakes(flow, attributes or {}))
        if attributes is not None:
            found += [f"{flow.id}: {each} (attributes)" for each in wrong]
        elif wrong:
            typer.echo(f"{flow.id}: names attributes; --settings FILE compares them with the catalogue", err=True)
    for conflict in found:
        typer.echo(conflict)
    typer.echo(f"conflicts: {len(found)}" if found else "no conflicts")
    if found:
        raise typer.Exit(1)


@flows.command()
def diff(files: Files = None, brokers: Brokers = None, prefix: Prefix = None) -> None:
    """Show what publishing these files would change in a prefix; exit code 1 if anything would."""
    from streams.flows.language.comparing import differences
    from streams.flows.language.files import read_document
    from streams.operations.create import NotCreated, read_domain

    documents = [read_document(file) for file, _ in loaded(files)]
    settings = ready_settings(brokers, prefix)
    with errors_in_one_line(NotCreated):
        published = read_domain(settings).flows
    found = differences(published, documents)
    for difference in found:
        for line in difference.lines:
            typer.echo(f"{difference.flow_id}: {line}")
    if found:
        raise typer.Exit(1)
    typer.echo(f"prefix {settings.prefix}: no difference to these files")


@flows.command()
def schema() -> None:
    """Print the JSON Schema of flow files, for editors; deploy/flow.schema.json is the same."""
    from streams.flows.language.flow import schema_text

    typer.echo(schema_text(), nl=False)


@flows.command("test")
def play_stories(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of flow files with stories. Default: the flows that come with touchstream."),
    ] = None,
) -> None:
    """Test flow files by their stories: given these touchpoints, exactly these messages go out."""
    from streams.flows.language.files import LIBRARY
    from streams.flows.language.mistakes import FlowError
    from streams.offline.stories import play, story_files

    wanted: list[Path | Traversable] = [*folders] if folders else [LIBRARY]
    with errors_in_one_line(FlowError):
        played = [each for folder in wanted for file in story_files(folder) for each in play(file, folder)]
    for each in played:
        typer.echo(f"{'FAILED' if each.differences else 'ok    '}  {each.file}: {each.story}")
        for line in each.differences:
            typer.echo(f"        {line}")
    failed = sum(bool(each.differences) for each in played)
    typer.echo(f"{len(played)} stories, {failed} failed")
    if failed:
        raise typer.Exit(1)
