"""touchstream settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, console, echo_json

if TYPE_CHECKING:
    from pydantic import BaseModel

_NOT_VARIABLES = {"flows", "flow_states"}
_MARK = "KAFKA_<NAME>"


def settings(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """List every TOUCHSTREAM_* variable with its default and its meaning."""
    from streams.serve.settings import SERVE_PREFIX, ServeSettings
    from streams.settings import DOMAIN_PREFIX, ENVIRONMENT_PREFIX, DomainSettings
    from streams.worker_settings import WorkerSettings

    from_files = (
        f"{ENVIRONMENT_PREFIX}<NAME>_FILE",
        "",
        "Path of a file that holds the value instead, as for secrets.",
    )
    groups = {
        "Settings of one worker": [*_variables(WorkerSettings, ENVIRONMENT_PREFIX), from_files],
        "Settings of one `touchstream serve`, besides its brokers and prefix": _variables(ServeSettings, SERVE_PREFIX),
        "Settings that decide; `touchstream topics create` publishes them": _variables(DomainSettings, DOMAIN_PREFIX),
    }
    if as_json:
        rows = [row for group in groups.values() for row in group]
        keys = ("variable", "default", "meaning")
        echo_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif markdown:
        for title, rows in groups.items():
            typer.echo(f"{title}:\n\n| variable | default | meaning |\n|---|---|---|")
            for name, default, meaning in rows:
                typer.echo(f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |")
            typer.echo("")
    else:
        _print_tables(groups)


def _print_tables(groups: dict[str, list[tuple[str, str, str]]]) -> None:
    from rich.table import Table

    screen = console()
    for title, rows in groups.items():
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for heading in ("variable", "default", "meaning"):
            table.add_column(heading, no_wrap=heading == "variable")
        for row in rows:
            table.add_row(*row)
        screen.print(table)
        screen.print()


def _variables(model: type[BaseModel], prefix: str) -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of each field."""
    rows = []
    for name, field in model.model_fields.items():
        if name in _NOT_VARIABLES:
            continue
        variable = f"{prefix}{_MARK if name == 'kafka' else name.upper()}"
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "" if default is None or default == {} else str(default)
        rows.append((variable, shown, " ".join((field.description or "").split())))
    return rows
