"""touchstream rebuild."""

from __future__ import annotations

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
)


def rebuild(brokers: Brokers = None, prefix: Prefix = None, as_json: AsJson = False) -> None:
    """Write changelogs that lost records again, from the journal and the facts. Stop the workers first."""
    from state.codec import NewerState
    from streams.operations.create import NotCreated
    from streams.operations.prefix import open_prefix
    from streams.operations.rebuild import CannotRebuild
    from streams.operations.rebuild import rebuild as write

    settings = ready_settings(brokers, prefix)
    expected = NotCreated, CannotRebuild, NewerState
    with errors_in_one_line(*expected, *registry_errors(settings)), console(stderr=True).status("folding the journal"):
        rebuilt = write(open_prefix(settings))
    if as_json:
        echo_json(rebuilt)
        return
    typer.echo(
        f"wrote {rebuilt.profiles} records of profiles and {rebuilt.insights} of insights; "
        "delete the workers' state folders, then start them"
    )
