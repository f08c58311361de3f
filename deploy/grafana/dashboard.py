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
    """PromQL of a counter's rate, summed over workers, by the labels named."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped}(rate(touchstream_{counter}[$__rate_interval]))"


def per_minute(counter: str, by: str = "") -> str:
    return f"60 * {per_second(counter, by)}"


def commit_quantile(share: float) -> str:
    return f"histogram_quantile({share}, {per_second('commit_seconds_bucket', 'le')})"


FIGURES = (
    Figure("Touchpoints per second", "Taken from the producers.", "cps", per_second("touchpoints_collected_total")),
    Figure("Waiting", "Records not yet processed, all topics.", "short", "sum(touchstream_lag_records)"),
    Figure("Workers ready", "Restored and in the group.", "short", "sum(touchstream_ready)"),
    Figure(
        "Complete to",
        "The shop's time up to which every journal partition is complete.",
        "dateTimeAsIso",
        "1000 * min(touchstream_event_time_seconds)",
    ),
    Figure(
        "KPIs off",
        "Open anomalies; the alert list says which.",
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
                "Down while touchpoints are steady: checkout is broken, or its events.",
                "short",
                ((per_minute("orders_total"), "orders"),),
            ),
            Graph(
                "Revenue and refunds per minute",
                "Minor units of the reporting currency.",
                "short",
                ((per_minute("revenue_minor_total"), "revenue"), (per_minute("refunds_minor_total"), "refunds")),
            ),
            Graph(
                "KPIs of the last hour closed",
                "By the shop's time, corrected as late facts come.",
                "short",
                (('max by (kpi) (touchstream_kpi{grain="hour"})', "{{kpi}}"),),
            ),
            Graph(
                "KPIs of the last day closed",
                "By the days of the reporting time zone.",
                "short",
                (('max by (kpi) (touchstream_kpi{grain="day"})', "{{kpi}}"),),
            ),
            Graph(
                "Anomalies",
                "1 while a KPI is off; held for 90 s.",
                "short",
                (("max by (kpi) (touchstream_anomaly_active)", "{{kpi}}"),),
            ),
            Graph(
                "Anomalies raised per hour",
                "More than a few a day on one KPI: its season changed.",
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
                "The base by value.",
                "short",
                (("max by (segment) (touchstream_customers)", "{{segment}}"),),
            ),
            Graph(
                "Segments entered per minute",
                "A wave on Mondays is new cuts.",
                "short",
                ((per_minute("segment_changes_total", "segment"), "{{segment}}"),),
            ),
            Graph(
                "Customers by cluster",
                "Groups by behaviour, from the last tick's model.",
                "short",
                (("max by (cluster) (touchstream_cluster_customers)", "{{cluster}}"),),
            ),
            Graph(
                "Models in force",
                "One line a kind and version.",
                "short",
                (("max by (kind, version) (touchstream_model_info)", "{{kind}} {{version}}"),),
            ),
        ),
    ),
    (
        "Messages and credit",
        (
            Graph(
                "Triggers per minute",
                "Messages that subscribers are to send.",
                "short",
                ((per_minute("triggers_total", "flow"), "{{flow}}"),),
            ),
            Graph(
                "Decisions per minute",
                "Where the yes and the no's come from.",
                "short",
                ((per_minute("decisions_total", "flow, outcome"), "{{flow}} {{outcome}}"),),
            ),
            Graph(
                "Credited per minute",
                "Minor units by model and channel.",
                "short",
                ((per_minute("credited_minor_total", "model, channel"), "{{model}} {{channel}}"),),
            ),
            Graph(
                "Taken back per minute",
                "Credit reversed after refunds.",
                "short",
                ((per_minute("reversed_minor_total", "model, channel"), "{{model}} {{channel}}"),),
            ),
        ),
    ),
    (
        "The way of the touchpoints",
        (
            Graph(
                "Collected, journalled, folded",
                "They run together; what is missing is in the dead letters.",
                "cps",
                (
                    (per_second("touchpoints_collected_total"), "collected"),
                    (per_second("touchpoints_journalled_total"), "journalled"),
                    (per_second("folded_total"), "folded"),
                    (per_second("duplicates_total"), "duplicates"),
                ),
            ),
            Graph(
                "Dead letters per minute",
                "A producer sends what cannot be used; the reason says what.",
                "short",
                ((per_minute("dead_letters_total", "stage, reason"), "{{stage}} {{reason}}"),),
            ),
            Graph(
                "Behind the wall",
                "How far the least complete partition is behind now; meaningless in a replay.",
                "s",
                (
                    ("time() - min by (partition) (touchstream_event_time_seconds)", "partition {{partition}}"),
                    ("max(touchstream_time_held_back_seconds)", "held back until all is folded"),
                ),
            ),
            Graph(
                "Open",
                "Forwards on their way between profiles, and candidates that wait.",
                "short",
                (("max(touchstream_forwards_open)", "forwards"), ("max(touchstream_decisions_open)", "candidates")),
            ),
        ),
    ),
    (
        "Workers",
        (
            Graph(
                "Waiting by topic",
                "Grows: add workers, up to the number of partitions.",
                "short",
                (("sum by (topic) (touchstream_lag_records)", "{{topic}}"),),
            ),
            Graph(
                "Commits and aborts per second",
                "Aborts that go on: the log says what is to blame.",
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
                "Below 1: those partitions' customers wait.",
                "percentunit",
                (("min by (instance) (touchstream_restored_ratio)", "{{instance}}"),),
            ),
            Graph(
                "Partitions owned",
                "Uneven for long: more workers than partitions.",
                "short",
                (("touchstream_partitions_owned", "{{instance}}"),),
            ),
            Graph("Memory", "Of each worker.", "bytes", (("process_resident_memory_bytes", "{{instance}}"),)),
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
        "description": "What fires now; each names its runbook.",
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
