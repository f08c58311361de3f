"""The command line."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.backtest import backtest
from streams.cli.consent import consent
from streams.cli.dead_letters import dead_letters
from streams.cli.demo import demo
from streams.cli.doctor import doctor
from streams.cli.explain import explain
from streams.cli.flows import flows
from streams.cli.generate import generate
from streams.cli.identity import identity
from streams.cli.import_history import import_history
from streams.cli.journal import journal
from streams.cli.mapping import mapping
from streams.cli.quality import quality
from streams.cli.rebuild import rebuild
from streams.cli.repartition import repartition
from streams.cli.replay import replay
from streams.cli.serve import serve
from streams.cli.settings import settings
from streams.cli.suppress import suppress
from streams.cli.time import time
from streams.cli.topics import topics
from streams.cli.verify import verify
from streams.cli.worker import try_records, worker

app = typer.Typer(
    name="touchstream",
    help="Turn customers' touchpoints on Apache Kafka into profiles, segments, messages, credit, KPIs and alerts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"touchstream {version('touchstream')}")
        raise typer.Exit


@app.callback()
def _every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options of every command."""


app.command()(worker)
app.command()(serve)
app.command(hidden=True)(try_records)
app.add_typer(topics, name="topics")
app.add_typer(flows, name="flows")
app.add_typer(journal, name="journal")
app.add_typer(mapping, name="mapping")
app.add_typer(identity, name="identity")
app.add_typer(time, name="time")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(suppress, name="suppress")
for _command in (
    replay,
    generate,
    demo,
    explain,
    consent,
    verify,
    quality,
    backtest,
    repartition,
    rebuild,
    settings,
    doctor,
):
    app.command()(_command)


app.command("import")(import_history)


def main() -> None:
    """Run the console script `touchstream`."""
    app()


if __name__ == "__main__":
    main()
