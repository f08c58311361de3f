"""The shipped Prometheus and Alertmanager, run without containers: the compose file's flags and files."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from streams.demo.servers.http_server import HttpServer
from streams.demo.servers.places import PROJECT
from streams.demo.servers.prometheus import fetch_prometheus
from streams.demo.servers.server import LOCALHOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPOSE_FILE = PROJECT / "docker-compose.yml"
SCRAPE = {"scrape_interval": "1s", "evaluation_interval": "1s"}


def compose(compose_program: Path) -> dict[str, Any]:
    """The compose file as docker-compose understands it; raises CalledProcessError where it does not."""
    command = [str(compose_program), "-f", str(COMPOSE_FILE), "config", "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def point_prometheus(config: Path, *, workers: Sequence[str], alertmanager: str | None = None) -> None:
    """In a copy of the shipped prometheus.yml put host:port addresses of this machine for the names of services."""
    settings = yaml.safe_load(config.read_text())
    settings["global"] = SCRAPE
    job = settings["scrape_configs"][0]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": list(workers)}]
    targets = [alertmanager] if alertmanager else []
    settings["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": targets}]}]
    config.write_text(yaml.safe_dump(settings))


class Service(HttpServer):
    """A service of the compose file: its flags, on copies of its files in `folder`, which must be empty."""

    ready_path = "/-/ready"
    programs = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}  # noqa: RUF012 - not changed
    # Debian's build cannot know the flags of its own address, and must not look for peers
    own_flags = {  # noqa: RUF012 - not changed
        "prometheus": ["--rules.alert.resend-delay=2s"],
        "alertmanager": ["--cluster.listen-address="],
    }

    def __init__(self, name: str, service: dict[str, Any], folder: Path) -> None:
        super().__init__(folder)
        self.name = name
        self.address_bare = f"{LOCALHOST}:{self.port}"
        self._flags: list[str] = list(service["command"])
        self.folders: dict[str, Path] = {}
        for volume in service["volumes"]:
            here = self.folder / volume["target"].strip("/").replace("/", "-")
            if volume["type"] == "bind":
                shutil.copytree(volume["source"], here)
            self.folders[volume["target"]] = here

    def command(self) -> list[str]:
        flags = [self._here(flag) for flag in self._flags]
        listen = f"--web.listen-address={self.address_bare}"
        program = fetch_prometheus() / "usr" / "bin" / self.programs[self.name]
        return [str(program), *flags, listen, *self.own_flags[self.name]]

    def home(self) -> Path:
        # Debian's Alertmanager looks for its templates from here
        return fetch_prometheus()

    def _here(self, flag: str) -> str:
        name, _, path = flag.partition("=")
        for target in sorted(self.folders, key=len, reverse=True):
            if path == target or path.startswith(f"{target}/"):
                return f"{name}={self.folders[target]}{path.removeprefix(target)}"
        return flag
