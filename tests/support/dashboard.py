"""Runs the shipped dashboard's queries against a real Prometheus."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import httpx

from streams.demo.servers.places import PROJECT

DASHBOARD = PROJECT / "deploy" / "grafana" / "dashboards" / "touchstream.json"
RANGE_S = 60


class Query(NamedTuple):
    """One query of one panel; `expr` as Grafana would send it."""

    panel: str
    expr: str


def dashboard() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return shown


def queries() -> list[Query]:
    return [
        Query(panel["title"], target["expr"].replace("$__rate_interval", f"{RANGE_S}s"))
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


def metric_names(expr: str) -> set[str]:
    """Names of metrics in PromQL: identifiers that are neither functions, keywords, labels nor recorded rules."""
    bare = re.sub(r'"[^"]*"|\b(?:by|on|without|ignoring)\s*\([^)]*\)|\[[^\]]*\]|\{[^}]*\}', " ", expr)
    names = set(re.findall(r"(?<![\w:.])([a-z_][\w:]*)(?!\s*\()(?![\w:])", bare))
    return {name for name in names if "_" in name and ":" not in name}


def without_data(prometheus_url: str) -> list[Query]:
    """Queries that Prometheus refuses, or answers with nothing, at this moment.

    A rate needs two scrapes within RANGE_S: wait for them first.
    """
    with httpx.Client(base_url=prometheus_url, trust_env=False, timeout=10) as client:
        return [query for query in queries() if not _result(client, query.expr)]


def _result(client: httpx.Client, expr: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": expr}).json()
    found: list[Any] = answer["data"]["result"] if answer["status"] == "success" else []
    return found
