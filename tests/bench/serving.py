"""Calls a second over HTTP, against a bare aiohttp server that only acknowledges, both by wrk in the same run.

64 connections that are kept, calls of 900 bytes, one client: the server, the broker and wrk share the cores.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from streams.demo.servers.broker import Broker
from streams.demo.servers.http_server import HttpServer
from streams.demo.servers.wrk import wrk_command
from tests.bench.results import Figure, keep
from tests.support.door import KEY, basic
from tests.support.door_process import DoorProcess
from tests.support.running import make_place

SECONDS, WARM_SECONDS = 8, 2
ROUNDS = 5
CONNECTIONS = 64
BARE = """
import sys
from aiohttp import web

async def acknowledge(request):
    await request.read()
    return web.Response(status=202)

app = web.Application()
app.router.add_post("/v1/track", acknowledge)
app.router.add_get("/", lambda _: web.Response())
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""
# each request has an id and a user of its own, as calls have
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "%s"
local text = string.rep("x", 420)
local form = '{"messageId":"%%d-%%d","event":"Product Viewed","userId":"c%%d",' ..
  '"timestamp":"2026-01-01T01:00:00.250Z",' ..
  '"context":{"campaign":{"name":"spring","source":"google","medium":"cpc"},"locale":"de",' ..
  '"timezone":"Europe/Berlin",' ..
  '"page":{"url":"https://shop.example/p/1","referrer":"https://search.example/"}},' ..
  '"properties":{"currency":"EUR","sku":"mug","price":21.88,"category":"kitchen","text":"' .. text .. '"}}'
local number, run = 0, os.time()
function request()
  number = number + 1
  return wrk.format(nil, nil, nil, string.format(form, run, number, number %% 1000))
end
"""


class Bare(HttpServer):
    """aiohttp as its guide shows it."""

    name = "bare"
    ready_path = "/"

    def command(self) -> list[str]:
        return [sys.executable, "-c", BARE, str(self.port)]


def main() -> None:
    """Prints and keeps the medians of both rates."""
    config = {"keys": {"shop": {"key": KEY, "source": "web", "requests_per_second": 1e6, "bytes_per_second": 1e10}}}
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "calls.lua"
        script.write_text(SCRIPT % basic(KEY), "utf-8")
        place = make_place(broker.bootstrap, "serving", Path(folder), touchpoint_partitions=4)
        with Bare(Path(folder)) as bare, DoorProcess(place, config) as door:
            for server in (bare, door):
                _rate(server, script, WARM_SECONDS)
            rounds = [(_rate(bare, script, SECONDS), _rate(door, script, SECONDS)) for _ in range(ROUNDS)]
    ratios = [door_rate / bare_rate for bare_rate, door_rate in rounds]
    sys.stdout.write("ratios by round: " + ", ".join(f"{ratio:.2f}" for ratio in ratios) + "\n")
    bare_rate, door_rate = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    title = f"calls over HTTP by {CONNECTIONS} connections, each accepted once Kafka has it"
    keep(title, [Figure("calls a second", door_rate, bare_rate, "aiohttp that only acknowledges")])


def _rate(server: HttpServer, script: Path, seconds: int) -> float:
    command = wrk_command("-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"{server.address}/v1/track")
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # wrk counts answers that are no success apart, and shows them only if there are any
    if "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(said)
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if found is None:
        raise AssertionError(said)
    return float(found.group(1))


if __name__ == "__main__":
    main()
