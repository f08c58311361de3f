"""floor-decode of the yardstick topic: consume and fastavro, nothing else (TOUCHPOINT_BENCH, read in place)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
from confluent_kafka import Producer

from streams.demo.servers.places import bench_dir
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "touch"
MESSAGES = 400_000
PARTITIONS = 4


class NoYardstick(RuntimeError):
    """The yardstick's folder is not there."""


def fill(brokers: str) -> None:
    """Writes the yardstick's touches, as its fill.py makes them."""
    folder = bench_dir()
    if not (folder / "fill.py").exists():
        raise NoYardstick(f"no yardstick in {folder}: set TOUCHPOINT_BENCH")
    os.environ.setdefault("PEER_BROKER", brokers)
    sys.path.insert(0, str(folder))
    fill_module: Any = __import__("fill")
    job: Any = __import__("job")
    create_topics(brokers, [TopicSpec(TOPIC, PARTITIONS, {"retention.ms": "-1"})], {})
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "none",
        }
    )
    for number, touch in enumerate(fill_module.touches(MESSAGES)):
        body = io.BytesIO()
        body.write(job.HEADER)
        fastavro.schemaless_writer(body, job.TOUCH, touch)
        producer.produce(TOPIC, body.getvalue(), key=touch["customer_id"])
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()


class Floor(NamedTuple):
    """Of one run."""

    events_per_second: float
    cpu_us_per_event: float


def measure(brokers: str, folder: Path) -> float:
    """Events a second on one core."""
    return run(brokers, folder).events_per_second


def run(brokers: str, folder: Path) -> Floor:
    """Consumes and decodes the topic once, on core 0."""
    out = folder / "floor.json"
    environment = {
        **os.environ,
        "PEER_BROKER": brokers,
        "PEER_TOPIC": TOPIC,
        "PEER_N": str(MESSAGES),
        "PEER_RUN": "floor",
        "PEER_DIR": str(folder),
        "PEER_OUT": str(out),
        "PYTHONPATH": str(bench_dir()),
    }
    command = ["taskset", "-c", "0", sys.executable, str(bench_dir() / "floor.py"), "decode"]
    subprocess.run(command, check=True, env=environment)
    (begun, begun_s, begun_cpu_s), *_, (done, done_s, done_cpu_s) = json.loads(out.read_text("utf-8"))["stamps"]
    events = done - begun
    return Floor(events / (done_s - begun_s), (done_cpu_s - begun_cpu_s) / events * 1e6)
