import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.demo.servers.broker import Broker
from streams.demo.servers.server import DidNotStart
from tests.support.producing import transact

WAIT_SECONDS = 20.0


def create(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)]).values():
        made.result(WAIT_SECONDS)


def committed(bootstrap: str, topic: str, count: int) -> set[bytes]:
    """The first `count` values that a reader of committed records gets."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    values: set[bytes] = set()
    end = time.monotonic() + WAIT_SECONDS
    while len(values) < count and time.monotonic() < end:
        message = consumer.poll(0.5)
        if message is not None and not message.error():
            values.add(message.value())
    consumer.close()
    return values


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_what_a_transaction_commits_is_read_and_what_it_aborts_is_not(kafka: str, prefix: str) -> None:
    create(kafka, prefix)
    transact(kafka, prefix, prefix, [b"never"], is_committed=False)
    transact(kafka, prefix, prefix, [b"one", b"two"])
    assert committed(kafka, prefix, 2) == {b"one", b"two"}


def test_a_topic_that_nobody_created_does_not_spring_up(kafka: str, prefix: str) -> None:
    producer = Producer({"bootstrap.servers": kafka, "message.timeout.ms": 2_000})
    failures: list[str] = []
    producer.produce(prefix, b"lost", on_delivery=lambda error, _: failures.append(error.name()))
    producer.flush(WAIT_SECONDS)
    assert failures[0] in {"_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "_MSG_TIMED_OUT"}
    assert prefix not in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=WAIT_SECONDS).topics


def test_a_record_of_five_megabytes_gets_in_if_it_is_compressed(kafka: str, prefix: str) -> None:
    create(kafka, prefix)
    big = b"x" * 5_000_000
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 8_000_000, "compression.type": "lz4"})
    producer.produce(prefix, big)
    assert producer.flush(WAIT_SECONDS) == 0
    assert committed(kafka, prefix, 1) == {big}


@pytest.mark.chaos
def test_a_killed_broker_comes_back_at_its_address_with_its_records(prefix: str) -> None:
    with Broker() as broker:
        create(broker.bootstrap, prefix)
        transact(broker.bootstrap, prefix, prefix, [b"kept"])
        address, first = broker.bootstrap, broker.pid
        broker.kill()
        assert not broker.running
        broker.restart()
        assert broker.bootstrap == address
        assert committed(address, prefix, 1) == {b"kept"}
        second = broker.pid
    assert first is not None
    assert second is not None
    assert not is_alive(first)
    assert not is_alive(second)
    assert not broker.folder.exists()


@pytest.mark.chaos
def test_the_broker_dies_with_whoever_started_it(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from streams.demo.servers.broker import Broker
broker = Broker(Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert is_alive(pid)
        starter.kill()
    end = time.monotonic() + WAIT_SECONDS
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_broker_that_cannot_start_says_why_with_the_end_of_its_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(DidNotStart, match=r"(?s)exit code 1:.*Stored node id 7.*whole log: .*broker\.log"):
        Broker(tmp_path).start()


@pytest.mark.slow
def test_kafka_3_9_works_too(prefix: str) -> None:
    with Broker(version="3.9.1") as broker:
        create(broker.bootstrap, prefix)
        transact(broker.bootstrap, prefix, prefix, [b"one"])
        assert committed(broker.bootstrap, prefix, 1) == {b"one"}
