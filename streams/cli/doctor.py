"""touchstream doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, echo_json, errors_in_one_line, worker_settings

if TYPE_CHECKING:
    from streams.doctor.finding import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(brokers: Brokers = None, prefix: Prefix = None, as_json: AsJson = False) -> None:
    """Check brokers, topics, schemas, disk and clocks with a worker's settings; exit code 1 if a check fails."""
    from streams.doctor.examination import examine
    from streams.doctor.finding import Status

    with errors_in_one_line():
        settings = worker_settings(brokers, prefix)
        with console(stderr=True).status("checking"):
            findings = list(examine(settings))
    if as_json:
        echo_json({"findings": findings})
    else:
        for finding in findings:
            _print(finding)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    screen = console()
    status = finding.status.value
    screen.print(f"[{_COLOURS[status]}]{status:<4}[/]  {finding.check:<15} ", end="")
    screen.print(finding.seen, markup=False, soft_wrap=True)
    if finding.advice:
        screen.print(f"{'':<22}-> {finding.advice}", markup=False, soft_wrap=True)
