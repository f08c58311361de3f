"""The door over HTTP as a process, and a client that repeats until it is accepted."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from streams.demo.servers.http_server import HttpServer
from streams.settings import ENVIRONMENT_PREFIX
from tests.support.door import CONFIG

if TYPE_CHECKING:
    from tests.support.running import Place

ACCEPTED = 202


class DoorProcess(HttpServer):
    """`touchstream serve` for a place: ready when started; killed or stopped it may be started again."""

    name = "door"
    ready_path = "/health/ready"

    def __init__(self, place: Place, config: dict[str, Any] | None = None, **given: object) -> None:
        folder = place.folder / "door"
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        file = self.folder / "door.yaml"
        file.write_text(yaml.safe_dump(CONFIG if config is None else config), "utf-8")
        serve = {"config": file, "host": "127.0.0.1", "port": self.port, **given}
        self._variables = place.variables | {f"{ENVIRONMENT_PREFIX}SERVE_{k.upper()}": str(v) for k, v in serve.items()}

    def command(self) -> list[str]:
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        return ["env", *variables, sys.executable, "-m", "streams", "serve"]

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        if self._server:
            self._server.kill()


def until_accepted(address: str, body: bytes, headers: dict[str, str], seconds: float = 60.0) -> int:
    """Post the same until the answer is 202; return how often that took. Any answer but 503 is a mistake."""
    give_up_at = time.monotonic() + seconds
    times = 0
    with httpx.Client(trust_env=False, timeout=20) as client:
        while time.monotonic() < give_up_at:
            times += 1
            try:
                answer = client.post(address, content=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == ACCEPTED:
                return times
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            time.sleep(0.05)
    raise AssertionError(f"not accepted within {seconds:.0f} s")
