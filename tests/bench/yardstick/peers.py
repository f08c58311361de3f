"""The same job in other stream processors, by the programs of TOUCHPOINT_BENCH, where they are installed.

PEER_QUIX names a Python that has quixstreams, PEER_JAVA the folder where the Java peers were built: see its README.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from streams.demo.servers.places import bench_dir
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from tests.bench.floor import MESSAGES, PARTITIONS, TOPIC
from tests.bench.yardstick.checking import check_outputs, output_topics
from tests.bench.yardstick.measure import Run

if TYPE_CHECKING:
    from pathlib import Path

_OPENS = ("java.base/java.lang", "java.base/java.util", "java.base/java.nio", "java.base/sun.nio.ch")


def commands() -> dict[str, list[str]]:
    """The exactly-once peers that are installed here."""
    found = {}
    if python := os.environ.get("PEER_QUIX"):
        found["Quix Streams, exactly once"] = [python, "quix_peer.py", "exactly-once"]
    if java := os.environ.get("PEER_JAVA"):
        opens = [word for package in _OPENS for word in ("--add-opens", f"{package}=ALL-UNNAMED")]
        classes = f"{java}/target/classes:{java}/libs/*"
        machine = ["java", "-Xms2g", "-Xmx2g", *opens, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes]
        found["Kafka Streams, exactly once"] = [*machine, "peers.Streams", "exactly_once_v2", "cache"]
    return found


def run(brokers: str, name: str, folder: Path, command: list[str]) -> Run:
    """Works off the whole topic on core 0, timed by the peer's own stamps; raises WrongOutput."""
    create_topics(brokers, [TopicSpec(topic, PARTITIONS) for topic in output_topics(name)])
    folder.mkdir(parents=True)
    out = folder / "out.json"
    environment = {
        **os.environ,
        "PEER_BROKER": brokers,
        "PEER_TOPIC": TOPIC,
        "PEER_N": str(MESSAGES),
        "PEER_RUN": name,
        "PEER_DIR": str(folder / "state"),
        "PEER_OUT": str(out),
        "PYTHONPATH": str(bench_dir()),
    }
    with (folder / "log").open("wb") as log:
        pinned = ["taskset", "-c", "0", *command]
        peer = subprocess.Popen(pinned, cwd=bench_dir(), env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(peer.pid, 0)
        peer.returncode = os.waitstatus_to_exitcode(status)
    if peer.returncode or not out.exists():
        raise RuntimeError(f"{command} ended with {peer.returncode}: see {folder / 'log'}")
    (begun, begun_s, begun_cpu_s), *_, (done, done_s, done_cpu_s) = json.loads(out.read_text("utf-8"))["stamps"]
    check_outputs(brokers, name)
    events = done - begun
    cpu_us = (done_cpu_s - begun_cpu_s) / events * 1e6
    return Run(events / (done_s - begun_s), cpu_us, usage.ru_maxrss / 1024, cpu_us)
