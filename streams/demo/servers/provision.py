"""`python -m streams.demo.servers.provision`: what `make setup` brings beside the Python environment."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from streams.demo.servers.broker import KAFKA_VERSION, fetch_kafka
from streams.demo.servers.chromium import fetch_chromium
from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import in_ci
from streams.demo.servers.prometheus import fetch_prometheus
from streams.demo.servers.valgrind import fetch_valgrind
from streams.demo.servers.wrk import fetch_wrk


def main() -> int:
    """Exit code 1 where something that must be there cannot be had."""
    servers_ready = _bring(f"Apache Kafka {KAFKA_VERSION}", fetch_kafka)
    prometheus_ready = _bring("Prometheus", fetch_prometheus)
    if not prometheus_ready:
        _say("   only the tests that need Prometheus do without it: they are skipped")
    valgrind_ready = _bring("Valgrind", fetch_valgrind)
    if not valgrind_ready:
        _say("   only `make cost` does without it: it is skipped")
    if not _bring("wrk", fetch_wrk):
        _say("   only `make bench` does without it: it ends at the calls over HTTP")
    chromium_ready = _bring("Chromium", fetch_chromium)
    if not chromium_ready:
        _say("   only the test of a shop's page does without it: it is skipped")
    wanted = prometheus_ready and valgrind_ready and chromium_ready
    return 0 if servers_ready and (wanted or not in_ci()) else 1


def _bring(name: str, fetch: Callable[[], Path]) -> bool:
    start = time.monotonic()
    try:
        folder = fetch()
    except Unavailable as missing:
        _say(f"== {name}: not to be had here: {missing}")
        return False
    _say(f"== {name}: {folder} ({time.monotonic() - start:.0f} s)")
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
