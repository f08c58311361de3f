"""touchstream backtest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import Brokers, Prefix, console, errors_in_one_line, fail, opened_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import Message
    from rich.status import Status
    from rich.table import Table

    from schemas.wire import Wire
    from streams.offline.backtest_report import Report
    from streams.offline.journal import Journal
    from streams.offline.trial import Trial

_DAYS_SHOWN = 40
_SHOWN_EVERY = 50_000
_FIRST_MS, _LAST_MS = 0, 1 << 62


def backtest(
    flows: Annotated[list[Path], typer.Option(help="Flow files to try, or folders of them.")],
    begin: Annotated[
        str | None,
        typer.Option("--from", help="When to publish them: ISO 8601, UTC unless given. Default: the journal's start."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Where to stop, as --from. Default: the journal's end.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Read a file that `journal export` wrote. No Kafka is needed.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    instead: Annotated[
        bool, typer.Option("--instead", help="Try these flows alone. Default: other published flows run beside them.")
    ] = False,
    compare: Annotated[
        bool, typer.Option(help="Compare with the published flows. This takes about twice as long.")
    ] = True,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoints from `verify`: start at the last one before --from, not at the start."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File to write all figures to, as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="File to write the report to, as one HTML page.")] = None,
) -> None:
    """Show what other flows would have sent in the past, to whom, and why some messages would not have gone out.

    It changes nothing: it only reads.
    """
    trial = _trial(flows, begin, end, is_alone=instead)
    source, wire = _opened(file, brokers, prefix)
    found, failures = _folded(trial, source, wire, compare=compare, checkpoints=checkpoints)
    with errors_in_one_line(OSError):
        _write(found, json, html)
    _print(found)
    for failure in failures[:1]:
        typer.echo(f"{found.failures} records or timers made the code raise. The first error:\n{failure}", err=True)


def _trial(flows: list[Path], begin: str | None, end: str | None, *, is_alone: bool) -> Trial:
    from streams.flows.language.mistakes import FlowError
    from streams.offline.trial import Trial
    from streams.operations.settings_file import read_flows

    from_ms = _FIRST_MS if begin is None else _time_ms("--from", begin)
    to_ms = _LAST_MS if end is None else _time_ms("--to", end)
    if from_ms >= to_ms:
        fail(f"--from is {begin} and --to is {end}: --to must be later than --from")
    with errors_in_one_line(FlowError):
        return Trial(read_flows(flows), from_ms, to_ms, is_alone=is_alone)


def _folded(
    trial: Trial, source: Journal, wire: Wire, *, compare: bool, checkpoints: Path | None
) -> tuple[Report, list[str]]:
    """Fold the journal; the report, and the tracebacks of what made the code raise."""
    from schemas.container import ContainerError
    from state.codec import NewerState
    from streams.engine.garbage import collect_rarely
    from streams.flows.language.mistakes import FlowError
    from streams.offline.backtest import backtest as fold
    from streams.offline.backtest_report import report
    from streams.offline.checkpoints import Checkpoints, UnfitCheckpoint
    from streams.offline.sendings import Sendings
    from streams.offline.trial import Past

    tried = Sendings(trial.from_ms, trial.to_ms)
    published = Sendings(trial.from_ms, trial.to_ms) if compare else None
    kept = None if checkpoints is None else Checkpoints(checkpoints)
    collect_rarely()
    expected = (NewerState, FlowError, ContainerError, UnfitCheckpoint)
    with errors_in_one_line(*expected), console(stderr=True).status("reading the journal") as status:
        folded = fold(Past(_Watched(source, status), wire, kept), trial, tried, published)
    return report(folded, tried, published), tried.failures


class _Watched:
    """A journal that shows on the screen how far it has been read."""

    def __init__(self, journal: Journal, status: Status) -> None:
        self._journal = journal
        self._status = status

    def records(self, starts: Mapping[int, int]) -> Iterator[Message]:
        for count, message in enumerate(self._journal.records(starts)):
            if not count % _SHOWN_EVERY:
                self._status.update(f"reading the journal: {count:,} records")
            yield message


def _opened(file: Path | None, brokers: str | None, prefix: str | None) -> tuple[Journal, Wire]:
    if file is not None:
        from schemas.wire import SINGLE_OBJECT
        from streams.offline.journal_file import JournalFile

        if brokers is not None or prefix is not None:
            fail("--file and --brokers or --prefix are both given: read the journal from a file or from Kafka")
        return JournalFile(file), SINGLE_OBJECT
    from streams.operations.folded_journal import PrefixJournal

    with opened_prefix(brokers, prefix) as opened:
        return PrefixJournal(opened), opened.wire


def _time_ms(option: str, text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} is {text!r}: write a time in ISO 8601, such as 2026-03-01 or 2026-03-01T09:00+01:00")
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _write(found: Report, json: Path | None, html: Path | None) -> None:
    import msgspec

    from streams.offline.backtest_report import html_page

    if json is not None:
        json.write_bytes(msgspec.json.encode(found))
    if html is not None:
        html.write_text(html_page(found), encoding="utf-8")


def _print(found: Report) -> None:
    screen = console()
    screen.print(f"{found.begin} to {found.end}: {found.records:,} records of the journal processed")
    screen.print(_flows_table(found), "")
    screen.print(
        _table(
            ("flow", "outcome", "decisions"),
            [(flow.flow_id, *item) for flow in found.flows for item in flow.outcomes.items()],
        ),
        "",
    )
    changes = found.changes
    if changes is not None:
        screen.print(
            f"Compared with the published flows: {changes.customers_gained:,} more customers are reached, and "
            f"{changes.customers_lost:,} no longer are. {changes.customers_more:,} customers get more messages, "
            f"{changes.customers_fewer:,} fewer."
        )
    screen.print(_table(("messages per customer", "customers"), found.fatigue.items()), "")
    if found.overlap:
        rows = [(each.flow_id, each.other_flow_id, each.customers) for each in found.overlap]
        screen.print(_table(("flow", "other flow", "customers reached by both"), rows), "")
    days = list(found.days)[-_DAYS_SHOWN:]
    rows_of_days: list[tuple[str | int | None, ...]] = [
        (day, *(flow.days.get(day, 0) for flow in found.flows)) for day in days
    ]
    screen.print(_table((f"day, {found.zone}", *(flow.flow_id for flow in found.flows)), rows_of_days), "")
    if len(found.days) > len(days):
        screen.print(f"{len(found.days) - len(days)} earlier days are not shown; --json and --html write them all")
    for note in found.notes:
        screen.print(note)


def _flows_table(found: Report) -> Table:
    rows: list[tuple[str | int | None, ...]] = []
    for flow in found.flows:
        row = (flow.flow_id, flow.version, flow.sends, flow.customers, flow.goals, f"{flow.goal} in {flow.goal_window}")
        rows.append(row if flow.published_sends is None else (*row, flow.published_sends))
    columns = ("flow", "version", "messages", "customers", "followed by the goal", "goal")
    return _table(columns if found.changes is None else (*columns, "messages as published"), rows)


def _table(columns: Iterable[str], rows: Iterable[tuple[str | int | None, ...]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(cell or "") for cell in row))
    return table
