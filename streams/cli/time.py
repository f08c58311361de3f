"""touchstream time: how far it has come, and the way back after a wrong clock pushed it ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import AsJson, Brokers, Prefix, console, echo_json, opened_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.operations.time import PartitionTime

time = typer.Typer(
    help="Show how far time has come, and take it back after a wrong clock pushed it ahead.", no_args_is_help=True
)


@time.command()
def show(brokers: Brokers = None, prefix: Prefix = None, as_json: AsJson = False) -> None:
    """Show by partition of the journal how far time has come, and how far that is ahead of this machine's clock."""
    from streams.operations.time import times_of

    with opened_prefix(brokers, prefix) as opened:
        times = times_of(opened)
    if as_json:
        echo_json(times)
    else:
        _print(times)


@time.command()
def reset(
    reason: Annotated[str, typer.Option(help="Why, in a few words; it is kept in the journal.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take time back to the brokers' clock, in every partition of the journal that is ahead. Set that clock first.

    Messages that went out stay out. Timers that fired have fired.
    """
    from streams.operations.time import CannotReset, check_resettable, reset_time, times_of

    with opened_prefix(brokers, prefix, CannotReset) as opened:
        check_resettable(opened)
        if not yes:
            _print(times_of(opened))
            typer.confirm("Take time back to the brokers' clock where it is ahead?", abort=True)
        reset_time(opened, reason)
    typer.echo(
        f"prefix {opened.settings.prefix}: time goes back where it is ahead; `touchstream time show` has it in a moment"
    )


def _print(times: Iterable[PartitionTime]) -> None:
    from rich.table import Table

    table = Table("partition", "time", "ahead of this machine's clock", "last record appended")
    for each in times:
        table.add_row(str(each.partition), _utc(each.complete_to_ms), _span(each.ahead_ms), _utc(each.appended_ms))
    console().print(table)


def _utc(time_ms: int | None) -> str:
    from datetime import UTC, datetime

    if time_ms is None:
        return "not known"
    try:
        return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def _span(ahead_ms: int | None) -> str:
    from datetime import timedelta

    if ahead_ms is None:
        return "not known"
    return f"{'-' if ahead_ms < 0 else ''}{timedelta(seconds=abs(ahead_ms) // 1_000)}"
