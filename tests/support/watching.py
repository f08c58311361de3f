"""The shipped Prometheus and Alertmanager on a worker, with a webhook where the team's integration belongs."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import in_ci
from streams.demo.servers.prometheus import fetch_prometheus
from tests.support.monitoring import Service, compose, point_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECEIVER = "team"


def is_watchable() -> bool:
    """Whether Prometheus is to be had here.

    Raises:
        Unavailable: in CI, where it has to be.
    """
    try:
        fetch_prometheus()
    except Unavailable:
        if in_ci():
            raise
        return False
    return True


class Webhook:
    """Keeps every alert that Alertmanager hands over."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        kept = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                kept.extend(json.loads(self.rfile.read(length))["alerts"])
                self.send_response(httpx.codes.OK)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def firing(self, name: str) -> list[dict[str, Any]]:
        """Alerts of that name that came as firing."""
        return [each for each in self.alerts if each["status"] == "firing" and each["labels"]["alertname"] == name]


class Watch:
    """What Prometheus saw, and what the team was told."""

    def __init__(self, prometheus: str, webhook: Webhook) -> None:
        self.prometheus = prometheus
        self.webhook = webhook
        self.began_s = time.time()

    def samples(self, expr: str) -> list[tuple[float, float]]:
        """(unix seconds, value) of one series at each second since the watch began."""
        asked = {"query": expr, "start": str(self.began_s), "end": str(time.time()), "step": "1"}
        answer = httpx.get(f"{self.prometheus}/api/v1/query_range", params=asked, trust_env=False, timeout=10).json()
        (series,) = answer["data"]["result"]
        return [(float(at), float(value)) for at, value in series["values"]]


@contextmanager
def watched(worker: str, folder: Path) -> Iterator[Watch]:
    """Watches the worker at host:port. The receiver that waits for an integration is given a webhook."""
    composed = compose(Path(sys.executable).parent / "docker-compose")
    for name in ("prometheus", "alertmanager"):
        (folder / name).mkdir(parents=True)
    alertmanager = Service("alertmanager", composed["services"]["alertmanager"], folder / "alertmanager")
    prometheus = Service("prometheus", composed["services"]["prometheus"], folder / "prometheus")
    config = prometheus.folders["/etc/prometheus"] / "prometheus.yml"
    point_prometheus(config, workers=[worker], alertmanager=alertmanager.address_bare)
    with Webhook() as webhook:
        _integrate(alertmanager.folders["/etc/alertmanager"] / "alertmanager.yml", webhook.address)
        with alertmanager, prometheus:
            yield Watch(prometheus.address, webhook)


def until(found: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Returns once it is found; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"{what} within {seconds:.0f} s"
        time.sleep(0.2)


def _integrate(config: Path, url: str) -> None:
    settings = yaml.safe_load(config.read_text())
    (team,) = (receiver for receiver in settings["receivers"] if receiver["name"] == RECEIVER)
    team["webhook_configs"] = [{"url": url, "send_resolved": True}]
    config.write_text(yaml.safe_dump(settings))
