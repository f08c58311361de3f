"""What is shipped in deploy/ and docker-compose.yml works, as far as a machine without containers can tell."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from prometheus_client import MetricsHandler

from schemas.insights import Arrivals, SourceCount
from streams.demo.servers.places import PROJECT
from streams.demo.servers.prometheus import amtool, promtool
from streams.settings import (
    DOMAIN_PREFIX,
    ENVIRONMENT_PREFIX,
    DomainSettings,
    parse_domain,
)
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Observer, known_labels
from streams.web.pages import authorised
from streams.worker_settings import WorkerSettings, parse_worker
from tests.support.dashboard import DASHBOARD, dashboard, metric_names, queries, without_data
from tests.support.files import dashboard_schema
from tests.support.monitoring import Service, compose, point_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("monitoring")

DEPLOY = PROJECT / "deploy"
TOKEN = DEPLOY / "prometheus" / "token"
RULES = DEPLOY / "prometheus" / "rules.yml"
GENERATOR = DEPLOY / "grafana" / "dashboard.py"
SECONDS = 30.0
# what prometheus_client and Prometheus bring themselves
OTHERS = {"process_resident_memory_bytes"}


class Engine:
    """An engine's word about itself, of a worker that has started."""

    ready = True
    polled_s = committed_s = 1.0
    commits = aborts = 0
    restore_s = 0.0
    unsent = 0
    clock_ahead_s = 0.0
    failure = ""
    silent_s = 0.0
    lost: ClassVar[dict[tuple[str, int], int]] = {}

    def lags(self) -> dict[tuple[str, int], int]:
        return {("t.journal", 0): 0}

    def restored(self) -> dict[tuple[str, int], float]:
        return {("t.journal", 0): 1.0}


class Page:
    """Serves a worker's metrics from a thread, to who has its token."""

    def __init__(self, metrics: Metrics, token: str = "") -> None:
        class Guarded(MetricsHandler):
            registry = metrics.registry

            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                if authorised(self.headers["Authorization"], token):
                    super().do_GET()
                else:
                    self.send_error(httpx.codes.UNAUTHORIZED)

        handler = Guarded
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return compose(Path(sys.executable).parent / "docker-compose")


@pytest.fixture
def metrics() -> Metrics:
    """A worker that holds the facts, before anything happened but its first facts."""
    worker = Metrics()
    worker.watch(Engine())
    worker.worker.info({"version": "0"})
    known = known_labels(parse_domain("{}"), flows=("abandoned_cart",), reasons={"collect": ("no_id",)})
    observer = Observer(worker, known)
    observer.observe_committed([Arrivals((SourceCount("web", "page_viewed", 0, 1, 1, 1, 1, 0, 0, 0, 0),))])
    observer.show_insights(InsightSnapshot(models={"cuts": None, "clusters": None}))
    worker.event_time.labels("0").set(time.time())
    worker.time_held_back.labels("0").set(0)
    return worker


def check(program: Path, *arguments: str | Path) -> None:
    done = subprocess.run(
        [str(program), *map(str, arguments)], check=False, capture_output=True, text=True, cwd=DEPLOY / "prometheus"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def until(found: Any, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < end, f"{what} within {SECONDS} s"
        time.sleep(0.2)


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def exposed(worker: Metrics) -> set[str]:
    names = {sample.name for family in worker.registry.collect() for sample in family.samples}
    return names | {"touchstream_commit_seconds_bucket"}


def test_promtool_accepts_configuration_rules_and_their_tests() -> None:
    check(promtool(), "check", "config", "prometheus.yml")
    check(promtool(), "check", "rules", "rules.yml")
    check(promtool(), "test", "rules", "rules_test.yml")


def test_every_alert_is_tried_by_the_rule_tests() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts()}


def test_amtool_accepts_the_routes() -> None:
    check(amtool(), "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")


def test_rules_and_dashboard_ask_only_for_metrics_that_a_worker_has(metrics: Metrics) -> None:
    asked = {name for query in queries() for name in metric_names(query.expr)}
    asked |= {name for rule in alerts() for name in metric_names(rule["expr"])}
    assert asked - exposed(metrics) - OTHERS == set()
    assert len(asked) > 20


def test_docker_compose_accepts_the_file_and_its_environment_is_ours(composed: dict[str, Any]) -> None:
    assert {"kafka", "registry", "topics-create", "worker", "prometheus", "alertmanager", "grafana"} == set(
        composed["services"]
    )
    for name in ("worker", "topics-create"):
        given: dict[str, str] = composed["services"][name]["environment"]
        ours = {variable for variable in given if not variable.startswith(DOMAIN_PREFIX)}
        running = {variable.removeprefix(ENVIRONMENT_PREFIX).lower() for variable in ours}
        assert running <= set(WorkerSettings.model_fields)
        deciding = {variable.removeprefix(DOMAIN_PREFIX).lower() for variable in given.keys() - ours}
        assert deciding <= set(DomainSettings.model_fields)
        assert parse_worker(given).brokers == "kafka:9092"


def test_compose_mounts_what_is_there(composed: dict[str, Any]) -> None:
    mounts = [v for s in composed["services"].values() for v in s.get("volumes", []) if v["type"] == "bind"]
    assert mounts
    assert all(Path(mount["source"]).exists() for mount in mounts)


def test_the_image_runs_as_nobody_special_and_its_environment_is_ours() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    variables = re.findall(rf"{ENVIRONMENT_PREFIX}(\w+)=", text)
    assert {variable.lower() for variable in variables} <= set(WorkerSettings.model_fields)


def test_the_dashboard_is_what_its_program_writes() -> None:
    spec = importlib.util.spec_from_file_location("dashboard", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    assert program.text() == DASHBOARD.read_text()


def test_the_dashboard_is_valid_and_lists_alerts() -> None:
    assert "alertlist" in {panel["type"] for panel in dashboard()["panels"]}
    jsonschema.validate(dashboard(), json.loads(dashboard_schema().read_text()))


def test_panels_do_not_overlap() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert cells.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.fixture
def monitored(composed: dict[str, Any], tmp_path: Path, worker_address: str) -> Iterator[tuple[Service, Service]]:
    """Prometheus and Alertmanager of the compose file, on this machine, on one worker."""
    folders = {name: tmp_path / name for name in ("prometheus", "alertmanager")}
    for folder in folders.values():
        folder.mkdir()
    with Service("alertmanager", composed["services"]["alertmanager"], folders["alertmanager"]) as alertmanager:
        prometheus = Service("prometheus", composed["services"]["prometheus"], folders["prometheus"])
        config = prometheus.folders["/etc/prometheus"] / "prometheus.yml"
        point_prometheus(config, workers=[worker_address], alertmanager=alertmanager.address_bare)
        with prometheus:
            yield prometheus, alertmanager


@pytest.fixture
def worker_address(metrics: Metrics) -> Iterator[str]:
    """host:port of a page that answers as a worker does."""
    with Page(metrics) as address:
        yield address


def test_the_composes_prometheus_and_alertmanager_deliver_alerts(
    monitored: tuple[Service, Service], metrics: Metrics
) -> None:
    _, alertmanager = monitored
    metrics.anomaly_active.opened("orders", "")

    def delivered() -> set[str]:
        answer = httpx.get(f"{alertmanager.address}/api/v2/alerts", trust_env=False).json()
        return {alert["labels"]["alertname"] for alert in answer}

    until(lambda: {"Watchdog", "KpiAnomaly"} <= delivered(), "Watchdog and KpiAnomaly reach Alertmanager")
    assert "WorkerDown" not in delivered()


def test_every_query_of_the_dashboard_finds_data_on_a_worker_that_has_just_started(
    monitored: tuple[Service, Service],
) -> None:
    prometheus, _ = monitored
    until(lambda: not without_data(prometheus.address), "every panel has data")


def test_the_workers_of_the_compose_file_have_the_token_that_prometheus_has(composed: dict[str, Any]) -> None:
    worker = composed["services"]["worker"]
    (secret,) = worker["secrets"]
    assert Path(composed["secrets"][secret["source"]]["file"]) == TOKEN
    assert f"TOUCHSTREAM_WEB_TOKEN_FILE=/run/secrets/{secret['source']} " in " ".join(worker["entrypoint"])
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert (DEPLOY / "prometheus" / job["authorization"]["credentials_file"]) == TOKEN
    assert parse_worker({"TOUCHSTREAM_WEB_TOKEN_FILE": str(TOKEN)}).web_token == TOKEN.read_text().strip()


def test_the_composes_prometheus_reads_a_worker_that_asks_for_the_token_and_misses_one_with_another(
    composed: dict[str, Any], metrics: Metrics, tmp_path: Path
) -> None:
    prometheus = Service("prometheus", composed["services"]["prometheus"], tmp_path)
    config = prometheus.folders["/etc/prometheus"] / "prometheus.yml"

    def asked(query: str) -> dict[str, str]:
        answer = httpx.get(f"{prometheus.address}/api/v1/query", params={"query": query}, trust_env=False).json()
        return {each["metric"]["instance"]: each["value"][1] for each in answer["data"]["result"]}

    def waiting() -> set[str]:
        answer = httpx.get(f"{prometheus.address}/api/v1/alerts", trust_env=False).json()
        found = answer["data"]["alerts"]
        return {each["labels"].get("instance", "") for each in found if each["labels"]["alertname"] == "WorkerDown"}

    with Page(metrics, TOKEN.read_text().strip()) as right, Page(metrics, "another") as wrong:
        point_prometheus(config, workers=[right, wrong])
        with prometheus:
            until(lambda: asked("up") == {right: "1", wrong: "0"}, "one worker is read, the other is not")
            until(lambda: waiting() == {wrong}, "a scrape that fails is on its way to an alert")
            assert set(asked("touchstream_wall_clock")) == {right}
