"""The demo's report: one self-contained HTML file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2

from schemas.units import iso_time
from streams.demo.report import plots
from streams.demo.report.accounting import ENTERED, SENT, Account, Equation, Incident, equations
from streams.demo.report.series import cluster_points, revenue_series, segment_series
from streams.demo.report.words import OUTCOMES, STAGES, anomaly_words
from streams.insights.days import iso_date
from streams.profiles.segments import GRID_SEGMENTS, UNSCORED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streams.demo.finished import Finished

_TEMPLATE = "report.html.j2"
_TRANSITIONS_SHOWN = 10
_INCIDENTS_SHOWN = 12
_CHANNELS_SHOWN = 12
_MODELS = {"linear": "all touches share", "last": "last touch gets all"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing and its explanation; `image` is a data URI."""

    title: str
    note: str
    image: str
    wide: bool = False


def write_report(finished: Sequence[Finished], path: Path) -> None:
    """Write the report of all runs to `path`."""
    path.write_text(rendered([run_view(each) for each in finished]), encoding="utf-8")


def rendered(views: Sequence[Mapping[str, Any]]) -> str:
    """Return the HTML for the results of `run_view`."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["count"] = lambda value: f"{value:,.0f}"
    text = (files("streams.demo.report") / _TEMPLATE).read_text("utf-8")
    return environment.from_string(text).render(runs=views, touchpoints=sum(view["touchpoints"] for view in views))


def run_view(each: Finished) -> dict[str, Any]:
    """Return what the template shows of one run."""
    account, run = each.account, each.run
    checks = equations(account)
    return {
        "name": run.name,
        "title": run.title,
        "about": run.about,
        "generated": run.is_generated,
        "file": run.path.name,
        "prefix": each.prefix,
        "zone": run.domain.reporting_time_zone,
        "period": _period(each),
        "touchpoints": account.touchpoints,
        "sound": all(check.holds for check in checks),
        "checks": checks,
        "tiles": _tiles(each, checks),
        "figures": _figures(each),
        "clusters": [(cluster, plots.cluster_colour(cluster.number)) for cluster in account.clusters],
        "tables": _tables(account),
    }


def _tiles(each: Finished, checks: Sequence[Equation]) -> list[tuple[str, str, str]]:
    """Return (name, figure, small print) of each tile."""
    account = each.account
    held = sum(check.holds for check in checks)
    reminders, candidates = sum(account.triggers.values()), account.outcomes.get(ENTERED, 0)
    revenue, refunds = (_whole(minor, account.currency) for minor in (account.revenue_minor, account.refunds_minor))
    return [
        ("touchpoints", f"{account.touchpoints:,}", f"from {account.lines.in_file:,} lines"),
        ("touchpoints per second", f"{each.events_per_second:,.0f}", f"{each.replayed.seconds:.0f} s for everything"),
        ("customers", f"{account.customers:,}", f"{account.customers_ordered:,} with an order"),
        ("orders", f"{account.orders:,}", f"{account.guest_orders:,} by guests"),
        ("revenue", revenue, f"{refunds} refunded"),
        ("cart reminders", f"{reminders:,}", f"of {candidates:,} possible ones"),
        ("anomalies", f"{len(account.anomalies):,}", "in hourly KPIs"),
        ("checks", f"{held} of {len(checks)}", "add up"),
    ]


def _figures(each: Finished) -> list[Figure]:
    zone, account = each.run.domain.zone, each.account
    revenue = revenue_series(each.records)
    return _drawn(
        [
            (
                "Customers by segment",
                "Customers with an order; unscored until the first week's scores. The last 8 days have no touchpoints.",
                plots.segments_figure(segment_series(each.records, zone), zone),
                True,
            ),
            (
                f"Revenue by {revenue.grain}",
                "Shaded: times in which hourly revenue or orders were unusual.",
                plots.revenue_figure(revenue, account.currency, zone),
                True,
            ),
            (
                "Clusters",
                "A dot is a customer; its area is what they spent. The list of clusters explains the colours.",
                plots.clusters_figure(cluster_points(each.records)),
                False,
            ),
            (
                "Cart reminders: sent, or why not",
                "Every possible reminder has a record with its outcome and its reason.",
                plots.bars_figure({"": _outcomes(account)}, [plots.BLUE], "possible reminders"),
                False,
            ),
            (
                "Credit by channel",
                "Which channels earned the revenue, less refunds, by two ways of sharing it among touches.",
                plots.bars_figure(_credits(account), [plots.BLUE, plots.ORANGE], account.currency),
                False,
            ),
        ]
    )


def _drawn(wanted: Sequence[tuple[str, str, str | None, bool]]) -> list[Figure]:
    return [
        Figure(title, note, f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", wide)
        for title, note, svg, wide in wanted
        if svg is not None
    ]


def _outcomes(account: Account) -> dict[str, float]:
    found = {OUTCOMES.get(name, name): float(count) for name, count in account.outcomes.items() if name != ENTERED}
    return dict(sorted(found.items(), key=lambda item: (item[0] != OUTCOMES[SENT], -item[1])))


def _credits(account: Account) -> dict[str, dict[str, float]]:
    return {
        _MODELS.get(model, model): {channel: minor / 100 for channel, minor in list(channels.items())[:_CHANNELS_SHOWN]}
        for model, channels in sorted(account.credited_minor.items(), reverse=True)
    }


def _tables(account: Account) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (heading, rows of name and figure), without empty tables."""
    lines = account.lines
    where = {
        "in orders": lines.in_orders,
        "in refunds": lines.in_refunds,
        "in refunds without a known order": lines.in_unmatched_refunds,
        "in other touchpoints": lines.in_others,
        **{f"refused: {reason.replace('_', ' ')}": count for reason, count in lines.refused.items()},
    }
    touchpoints = {
        "received": account.touchpoints,
        "in the journal": account.journalled,
        **_letters(account),
        "processed": account.folded,
        "duplicates, counted once": account.duplicates,
        "moved from a device to its user": account.forwards_sent,
    }
    order = (*GRID_SEGMENTS, UNSCORED)
    segments = {name: account.segments[name] for name in order if name in account.segments}
    scored = {name: count for name, count in account.transitions.items() if not name.startswith(("none", UNSCORED))}
    found = [
        ("Lines of the file", _counted(where)),
        ("Touchpoints", _counted(touchpoints)),
        ("Customers by segment at the end", _counted(segments)),
        ("Most frequent changes of segment", _counted(dict(list(scored.items())[:_TRANSITIONS_SHOWN]))),
        ("Anomalies (UTC): observed / expected", [_incident(each) for each in account.anomalies[:_INCIDENTS_SHOWN]]),
    ]
    return [(heading, rows) for heading, rows in found if rows]


def _letters(account: Account) -> dict[str, int]:
    return {
        f"{STAGES.get(stage, stage)}: {reason.replace('_', ' ')}": count
        for stage, reasons in account.dead_letters.items()
        if stage != "replay"
        for reason, count in reasons.items()
    }


def _incident(each: Incident) -> tuple[str, str]:
    parts = 100 if each.kpi.endswith("_minor") else 1
    when = iso_time(each.start_ms)[:16].replace("T", " ")
    name = f"{anomaly_words(each.kpi, each.direction)}, {when}"
    return name, f"{each.observed / parts:,.0f} / {each.expected / parts:,.0f}"


def _whole(minor: int, currency: str) -> str:
    """Return an amount in whole units."""
    return f"{currency} {minor / 100:,.0f}"


def _counted(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in counts.items() if count]


def _period(each: Finished) -> str:
    first, last = each.replayed.first_ms, each.replayed.last_ms
    if first is None or last is None:
        return "no touchpoints"
    zone = each.run.domain.zone
    return f"{iso_date(first, zone)} to {iso_date(last, zone)}"
