import json
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from streams.demo.servers.fetching import Unavailable, cached, run
from streams.demo.servers.prometheus import Alertmanager, Prometheus, promtool
from streams.demo.servers.registry import Registry
from streams.demo.servers.server import DidNotStart, Server

ALERTMANAGER = """
route: {receiver: nobody}
receivers: [{name: nobody}]
"""
PROMETHEUS = """
global: {{evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
"""
RULES = """
groups: [{name: always, rules: [{alert: Watchdog, expr: vector(1)}]}]
"""


@pytest.mark.usefixtures("monitoring")
def test_an_alert_goes_from_prometheus_to_alertmanager(tmp_path: Path) -> None:
    rules, alertmanager_yml, prometheus_yml = (tmp_path / f"{name}.yml" for name in ("rules", "am", "prom"))
    rules.write_text(RULES)
    alertmanager_yml.write_text(ALERTMANAGER)
    with Alertmanager(alertmanager_yml, tmp_path) as alertmanager:
        target = alertmanager.address.removeprefix("http://")
        prometheus_yml.write_text(PROMETHEUS.format(rules=rules, alertmanager=target))
        subprocess.run([promtool(), "check", "config", prometheus_yml], check=True, capture_output=True)
        with Prometheus(prometheus_yml, tmp_path) as prometheus:
            assert prometheus.pid is not None
            arrived = threading.Event()
            for _ in range(200):
                alerts = httpx.get(f"{alertmanager.address}/api/v2/alerts").json()
                if [alert["labels"]["alertname"] for alert in alerts] == ["Watchdog"]:
                    break
                arrived.wait(0.2)
            else:
                pytest.fail("the alert did not arrive in 40 s")
    with pytest.raises(httpx.ConnectError):
        httpx.get(alertmanager.address)


@pytest.mark.usefixtures("monitoring")
def test_a_wrong_configuration_is_told_with_the_servers_own_words(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text("scrape_config: []")
    with pytest.raises(DidNotStart, match="field scrape_config not found"):
        Prometheus(config, tmp_path).start()


def test_a_registry_refuses_a_schema_that_breaks_its_readers(tmp_path: Path) -> None:
    def schema(*fields: str) -> Schema:
        record = {"type": "record", "name": "R", "fields": [{"name": name, "type": "long"} for name in fields]}
        return Schema(json.dumps(record), "AVRO")

    with Registry(tmp_path) as registry, SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema("topic-value", schema("a"))
        client.set_compatibility("topic-value", "BACKWARD")
        assert client.test_compatibility("topic-value", schema())
        assert not client.test_compatibility("topic-value", schema("a", "b"))


def test_a_silent_server_is_ended_and_named(tmp_path: Path) -> None:
    server = Server(["sleep", "600"], tmp_path / "sleep.log")
    with pytest.raises(DidNotStart, match="sleep was not ready after 0 s"):
        server.wait_until(lambda: False, seconds=0.1)
    assert not server.running


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    server = Server(["bash", "-c", deaf], tmp_path / "deaf.log")
    server.wait_until(lambda: "deaf" in server.log.read_text(), seconds=10)
    server.stop(seconds=0.3)
    assert not server.running


def test_a_download_that_fails_leaves_nothing_in_the_cache(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def half(folder: Path) -> None:
        (folder / "half").touch()
        run(["false"])

    with pytest.raises(Unavailable, match=r"`false` failed with exit code 1"):
        cached("thing", half)
    with pytest.raises(Unavailable, match="no-such-tool is not installed"):
        cached("thing", lambda _: run(["no-such-tool"]))
    whole = cached("thing", lambda folder: (folder / "whole").touch())
    assert [file.name for file in whole.iterdir()] == ["whole"]
    assert cached("thing", lambda _: pytest.fail("fetched twice")) == whole


def test_those_who_ask_at_once_wait_for_one_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    downloads: list[Path] = []
    begun, ended = threading.Barrier(4), threading.Event()

    def fill(folder: Path) -> None:
        downloads.append(folder)
        ended.wait(0.3)

    def ask() -> None:
        begun.wait()
        cached("thing", fill)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(downloads) == 1
