"""Writes dashboards/touchstream.json: `python deploy/grafana/dashboard.py`."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).parent / "dashboards" / "touchstream.json"
SCHEMA_VERSION = 41
COLUMNS = 24
FIGURE_WIDTH = 4
FIGURE_HEIGHT = 5
GRAPH_HEIGHT = 8
Json = dict[str, Any]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
Queries = tuple[tuple[str, str], ...]  # (PromQL, legend)


class Graph(NamedTuple):
    """A graph over time; `text` says what to look for."""

    title: str
    text: str
    unit: str
    queries: Queries


class Figure(NamedTuple):
    """One number, now."""

    title: str
    text: str
    unit: str
    expr: str


def per_second(counter: str, by: str = "") -> str:
    """Return PromQL for a counter's rate, summed over workers, by the given labels."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped}(rate(touchstream_{counter}[$__rate_interval]))"


def per_minute(counter: str, by: str = "") -> str:
    return f"60 * {per_second(counter, by)}"


def commit_quantile(share: float) -> str:
    return f"histogram_quantile({share}, {per_second('commit_seconds_bucket', 'le')})"


FIGURES = (
    Figure(
        "Touchpoints per second", "Read from the topic touchpoints.", "cps", per_second("touchpoints_collected_total")
    ),
    Figure("Records waiting", "Records not yet processed, in all topics.", "short", "sum(touchstream_lag_records)"),
    Figure(
        "Workers ready",
        "Workers that have restored their state and joined the group.",
        "short",
        "sum(touchstream_ready)",
    ),
    Figure(
        "Complete up to",
        "The shop's time up to which everything has been processed.",
        "dateTimeAsIso",
        "1000 * min(touchstream_event_time_seconds)",
    ),
    Figure(
        "Anomalies now",
        "KPIs outside their expected range. The list of alerts names them.",
        "short",
        "sum(max by (kpi) (touchstream_anomaly_active))",
    ),
)

ROWS: tuple[tuple[str, tuple[Graph, ...]], ...] = (
    (
        "The shop",
        (
            Graph(
                "Orders per minute",
                "Down while touchpoints are steady: the checkout or its tracking is broken.",
                "short",
                ((per_minute("orders_total"), "orders"),),
            ),
            Graph(
                "Revenue and refunds per minute",
                "In minor units of the reporting currency, such as cents.",
                "short",
                ((per_minute("revenue_minor_total"), "revenue"), (per_minute("refunds_minor_total"), "refunds")),
            ),
            Graph(
                "KPIs of the last complete hour",
                "In the shop's time; corrected when late events arrive.",
                "short",
                (('max by (kpi) (touchstream_kpi{grain="hour"})', "{{kpi}}"),),
            ),
            Graph(
                "KPIs of the last complete day",
                "By days of the reporting time zone.",
                "short",
                (('max by (kpi) (touchstream_kpi{grain="day"})', "{{kpi}}"),),
            ),
            Graph(
                "Anomalies",
                "1 while a KPI is outside its expected range, and for at least 90 s.",
                "short",
                (("max by (kpi) (touchstream_anomaly_active)", "{{kpi}}"),),
            ),
            Graph(
                "Anomalies raised per hour",
                "More than a few a day on one KPI: its usual pattern changed, or its source is broken.",
                "short",
                ((f"60 * {per_minute('anomalies_total', 'kpi')}", "{{kpi}}"),),
            ),
        ),
    ),
    (
        "Customers",
        (
            Graph(
                "Customers by segment",
                "How many customers are in each segment now.",
                "short",
                (("max by (segment) (touchstream_customers)", "{{segment}}"),),
            ),
            Graph(
                "Segments entered per minute",
                "A wave on Mondays comes from new boundaries of the scores.",
                "short",
                ((per_minute("segment_changes_total", "segment"), "{{segment}}"),),
            ),
            Graph(
                "Customers by cluster",
                "Groups of customers with similar behaviour, from the last weekly model.",
                "short",
                (("max by (cluster) (touchstream_cluster_customers)", "{{cluster}}"),),
            ),
            Graph(
                "Current models",
                "One line for each kind and version.",
                "short",
                (("max by (kind, version) (touchstream_model_info)", "{{kind}} {{version}}"),),
            ),
        ),
    ),
    (
        "Messages and credit",
        (
            Graph(
                "Messages per minute",
                "Messages (triggers) handed to subscribers to send.",
                "short",
                ((per_minute("triggers_total", "flow"), "{{flow}}"),),
            ),
            Graph(
                "Decisions per minute",
                "Decisions about possible messages: sent, or why not.",
                "short",
                ((per_minute("decisions_total", "flow, outcome"), "{{flow}} {{outcome}}"),),
            ),
            Graph(
                "Credit per minute",
                "Revenue credited to channels, in minor units, by model, channel and currency.",
                "short",
                (
                    (
                        per_minute("credited_minor_total", "model, channel, currency"),
                        "{{model}} {{channel}} {{currency}}",
                    ),
                ),
            ),
            Graph(
                "Reversed credit per minute",
                "Credit reversed after refunds, in minor units.",
                "short",
                (
                    (
                        per_minute("reversed_minor_total", "model, channel, currency"),
                        "{{model}} {{channel}} {{currency}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "From touchpoints to profiles",
        (
            Graph(
                "Collected, journalled, processed",
                "The lines stay close together. A touchpoint that is missing is in the dead letters.",
                "cps",
                (
                    (per_second("touchpoints_collected_total"), "collected"),
                    (per_second("touchpoints_journalled_total"), "journalled"),
                    (per_second("folded_total"), "processed"),
                    (per_second("duplicates_total"), "duplicates"),
                ),
            ),
            Graph(
                "Dead letters per minute",
                "Records that could not be used. The reason says why.",
                "short",
                ((per_minute("dead_letters_total", "stage, reason"), "{{stage}} {{reason}}"),),
            ),
            Graph(
                "Delay",
                "How far each partition's time is behind the present. It means nothing in a replay.",
                "s",
                (
                    ("time() - min by (partition) (touchstream_event_time_seconds)", "partition {{partition}}"),
                    ("max(touchstream_time_held_back_seconds)", "waiting for unprocessed records"),
                ),
            ),
            Graph(
                "Under way",
                "Records on their way from one profile to another, and possible messages that wait for their time.",
                "short",
                (("max(touchstream_forwards_open)", "records"), ("max(touchstream_decisions_open)", "messages")),
            ),
        ),
    ),
    (
        "Workers",
        (
            Graph(
                "Records waiting by topic",
                "If it grows, add workers, up to the number of partitions.",
                "short",
                (("sum by (topic) (touchstream_lag_records)", "{{topic}}"),),
            ),
            Graph(
                "Commits and aborts per second",
                "If aborts continue, the log names the cause.",
                "ops",
                ((per_second("commits_total"), "commits"), (per_second("aborts_total"), "aborts")),
            ),
            Graph(
                "Duration of commits",
                "Up to 50 ms is usual.",
                "s",
                ((commit_quantile(0.5), "p50"), (commit_quantile(0.99), "p99")),
            ),
            Graph(
                "State restored",
                "Below 100 %: customers of those partitions wait.",
                "percentunit",
                (("min by (instance) (touchstream_restored_ratio)", "{{instance}}"),),
            ),
            Graph(
                "Partitions owned",
                "Uneven for long: a worker is missing, or there are more workers than partitions.",
                "short",
                (("touchstream_partitions_owned", "{{instance}}"),),
            ),
            Graph("Memory", "Memory of each worker.", "bytes", (("process_resident_memory_bytes", "{{instance}}"),)),
        ),
    ),
)


def target(letter: str, expr: str, legend: str) -> Json:
    return {"refId": letter, "expr": expr, "legendFormat": legend, "datasource": SOURCE}


def panel(kind: str, shown: Graph | Figure, targets: list[Json], where: Json) -> Json:
    return {
        "type": kind,
        "title": shown.title,
        "description": shown.text,
        "datasource": SOURCE,
        "gridPos": where,
        "fieldConfig": {"defaults": {"unit": shown.unit}, "overrides": []},
        "targets": targets,
    }


def graph(given: Graph, where: Json) -> Json:
    targets = [target(letter, *query) for letter, query in zip(ascii_uppercase, given.queries, strict=False)]
    legend = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", given, targets, where) | {"options": options}


def figure(given: Figure, where: Json) -> Json:
    return panel("stat", given, [target("A", given.expr, given.title)], where)


def alert_list(where: Json) -> Json:
    states = {"firing": True, "pending": True, "error": True, "noData": False, "normal": False}
    options = {
        "datasource": "Prometheus",
        "stateFilter": states,
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": 20,
        "sortOrder": 1,
        "dashboardAlerts": False,
        "alertName": "",
        "alertInstanceLabelFilter": "",
    }
    return {
        "type": "alertlist",
        "title": "Alerts",
        "description": "Alerts that fire now. Each links to its runbook.",
        "gridPos": where,
        "options": options,
    }


def at(x: int, y: int, width: int, height: int) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}


def panels() -> Iterator[Json]:
    for place, number in enumerate(FIGURES):
        yield figure(number, at(place * FIGURE_WIDTH, 0, FIGURE_WIDTH, FIGURE_HEIGHT))
    left = len(FIGURES) * FIGURE_WIDTH
    yield alert_list(at(left, 0, COLUMNS - left, FIGURE_HEIGHT))
    top = FIGURE_HEIGHT
    for title, graphs in ROWS:
        yield {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": at(0, top, COLUMNS, 1)}
        top += 1
        for place, drawn in enumerate(graphs):
            down, right = divmod(place, 2)
            yield graph(drawn, at(right * COLUMNS // 2, top + GRAPH_HEIGHT * down, COLUMNS // 2, GRAPH_HEIGHT))
        top += GRAPH_HEIGHT * -(-len(graphs) // 2)


def dashboard() -> Json:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source", "hide": 0}
    return {
        "uid": "touchstream",
        "title": "touchstream",
        "tags": ["touchstream"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "timezone": "utc",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "templating": {"list": [source]},
        "panels": [{"id": number, **made} for number, made in enumerate(panels(), start=1)],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
