"""touchstream serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.shared import Brokers, Prefix, errors_in_one_line, fail, ready_settings, registry_errors


def serve(
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with write keys and sources. Default: TOUCHSTREAM_SERVE_CONFIG.", show_default=False
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the settings and the file.")] = False,
) -> None:
    """Take touchpoints over HTTP until SIGTERM. Other settings come from TOUCHSTREAM_SERVE_* variables."""
    from streams.operations.create import NotCreated
    from streams.serve.settings import parse_serve, read_config

    with errors_in_one_line():
        settings = parse_serve(config=config, host=host, port=port)
        if settings.config is None:
            fail("no file with write keys: name it with --config, or with TOUCHSTREAM_SERVE_CONFIG")
        read = read_config(settings.config)
    if check:
        typer.echo(f"{settings.config}: {len(read.keys)} keys and {len(read.sources)} sources")
        return
    worker = ready_settings(brokers, prefix)
    from streams.serve.server import serve as run

    with errors_in_one_line(NotCreated, OSError, *registry_errors(worker)):
        run(worker, settings, read)
