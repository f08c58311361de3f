"""touchstream demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import fail


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Kafka and the worker running, and print their addresses.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder to write summary.json and report.html to.")] = Path("build/demo"),
    brokers: Annotated[
        str | None,
        typer.Option(
            help="Addresses of your own Kafka brokers. Default: a broker is started here.", show_default=False
        ),
    ] = None,
) -> None:
    """Replay real shop data through a real Kafka and a worker, and write a report of the results."""
    try:
        from streams.demo.demo import run_demo
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("streams"):
            raise
        fail(f"the demo needs {missing.name}: install touchstream[demo], or use `make setup`")
    raise typer.Exit(run_demo(keep=keep, out=out, brokers=brokers))
