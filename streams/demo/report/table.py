"""The table at the end of the demo, with a column for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from streams.demo.report.accounting import ENTERED, SENT, equations
from streams.demo.report.words import OUTCOMES, STAGES, anomaly_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from streams.demo.finished import Finished
    from streams.demo.report.accounting import Account

_TRANSITIONS_SHOWN = 6


def show(finished: Sequence[Finished], console: Console) -> None:
    """Print the table."""
    table = Table(box=box.SIMPLE_HEAD, title="Results", title_justify="left", row_styles=["", "on grey7"])
    table.add_column("", style="bold", no_wrap=True)
    for each in finished:
        generated = "\n[yellow]generated[/]" if each.run.is_generated else ""
        table.add_column(f"{each.run.title}{generated}", justify="left")
    columns = [dict(rows(each)) for each in finished]
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    console.print(table)


def rows(each: Finished) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each row of one run's column; every run has the same names."""
    account = each.account
    yield "lines of the file", _lines(account)
    yield "touchpoints received", f"{account.touchpoints:,}"
    yield "in the journal", f"{account.journalled:,}"
    for stage, name in STAGES.items():
        yield name, _counts(_spaced(account.dead_letters.get(stage, {})))
    yield "processed", f"{account.folded:,}"
    yield "duplicates, counted once", f"{account.duplicates:,}"
    yield "moved from a device to its user", f"{account.forwards_sent:,}, {account.forwards_open:,} still under way"
    yield "customers", f"{account.customers:,}, {account.customers_ordered:,} with an order"
    yield "customers by segment", _counts(account.segments)
    yield "changes of segment", _transitions(account)
    yield "orders", f"{account.orders:,}, {account.guest_orders:,} by guests"
    yield "revenue", money(account.revenue_minor, account.currency)
    yield "refunds", money(account.refunds_minor, account.currency)
    for model, name in (("linear", "all touches share"), ("last", "last touch gets all")):
        yield f"credit: {name}", _credits(account, model)
    yield "possible messages", f"{account.outcomes.get(ENTERED, 0):,}, {account.decisions_open:,} still waiting"
    yield "messages sent, by flow", _counts(account.triggers)
    yield "messages not sent, by reason", _counts(_not_sent(account))
    yield (
        "clusters of similar customers",
        "\n".join(f"{c.number}: {c.description} ({c.customers:,})" for c in account.clusters) or "none",
    )
    yield "anomalies found", _anomalies(account)
    yield "touchpoints per second", f"{each.events_per_second:,.0f} ({each.replayed.seconds:.0f} s)"
    held = [equation.holds for equation in equations(account)]
    yield "checks that add up", f"{'[green]' if all(held) else '[bold red]'}{sum(held)} of {len(held)}[/]"


def money(minor: int, currency: str) -> str:
    """Return an amount in major units, for people."""
    return f"{currency} {minor / 100:,.2f}"


def _spaced(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("_", " "): count for name, count in counts.items()}


def _not_sent(account: Account) -> dict[str, int]:
    return {OUTCOMES.get(name, name): count for name, count in account.outcomes.items() if name not in {ENTERED, SENT}}


def _counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _lines(account: Account) -> str:
    lines = account.lines
    kinds = {
        "in orders": lines.in_orders,
        "in refunds": lines.in_refunds,
        "in refunds without a known order": lines.in_unmatched_refunds,
        "in other touchpoints": lines.in_others,
        **{f"refused: {reason}": count for reason, count in _spaced(lines.refused).items()},
    }
    return f"{lines.in_file:,}\n" + _counts({name: count for name, count in kinds.items() if count})


def _transitions(account: Account) -> str:
    between = {
        name: count for name, count in account.transitions.items() if not name.startswith(("none →", "unscored →"))
    }
    shown = dict(list(between.items())[:_TRANSITIONS_SHOWN])
    left = sum(between.values()) - sum(shown.values())
    lines = [f"{sum(account.transitions.values()):,}", *(f"{name} {count:,}" for name, count in shown.items())]
    return "\n".join([*lines, f"others {left:,}"] if left else lines)


def _credits(account: Account, model: str) -> str:
    channels = account.credited_minor.get(model, {})
    each = (f"{channel} {minor / 100:,.0f}" for channel, minor in channels.items())
    return "\n".join([money(sum(channels.values()), account.currency), *each])


def _anomalies(account: Account) -> str:
    by_kpi: dict[str, int] = {}
    for incident in account.anomalies:
        name = anomaly_words(incident.kpi, incident.direction)
        by_kpi[name] = by_kpi.get(name, 0) + 1
    return _counts(by_kpi)
