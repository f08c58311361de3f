"""A worker's manners on a real Kafka: how it starts, waits, answers and ends."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from streams.demo.servers.server import free_port
from streams.engine.in_hand import left_in_hand
from streams.engine.last_resort import END_SECONDS
from streams.engine.step_watch import IN_HAND
from streams.kafka.reader import TopicMissing, read_committed
from streams.kafka.topics import WrongTopics, create_topics, partition_counts
from streams.topics import TopicSpec
from tests.support.engine_bench import PARTITIONS, Bench, stop, wait_until
from tests.support.producing import produce, transact

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(kafka: str, prefix: str, tmp_path: Path) -> Bench:
    return Bench(kafka, prefix, tmp_path)


def ask(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://{address}/status", timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except OSError:
        return {}


def test_it_ends_on_sigterm_with_zero_in_the_middle_of_work(bench: Bench) -> None:
    bench.send(50_000)
    with bench.worker(0, "pause=100") as worker:
        bench.wait_for_outputs(1)
        assert stop(worker, seconds=8) == 0
    assert bench.outputs() < 50_000
    with bench.worker():
        bench.wait_for_outputs()
    assert bench.account() == bench.expected()


def abort_a_transaction(bench: Bench) -> None:
    transact(bench.brokers, f"{bench.prefix}-other", f"{bench.prefix}-in", [b"never"], 0, is_committed=False)


def test_its_position_passes_what_transactions_left(bench: Bench) -> None:
    abort_a_transaction(bench)
    address = f"127.0.0.1:{free_port()}"
    with bench.worker(0, f"address={address}") as worker:
        wait_until(lambda: ask(address).get("ready") is True, "readiness")
        bench.send(100)
        bench.wait_for_outputs()
        wait_until(lambda: ask(address)["lag"] == 0, "no lag")
        assert stop(worker) == 0
    assert bench.committed_offsets() == bench.end_offsets()
    assert bench.account() == bench.expected()


def test_what_transactions_left_is_committed_although_nothing_follows(bench: Bench) -> None:
    """Others see by the group's offsets that all is done; behind the last record there may be a marker."""
    with bench.worker() as worker:
        bench.send(40)
        bench.wait_for_outputs()
        abort_a_transaction(bench)
        wait_until(lambda: bench.committed_offsets() == bench.end_offsets(), "what was left is passed", 20)
        assert stop(worker) == 0


def test_a_processor_may_ask_for_cycles_while_nothing_arrives(bench: Bench) -> None:
    with bench.worker(0, "pulse") as worker:
        wait_until(lambda: len(list(read_committed(bench.brokers, f"{bench.prefix}-pulse"))) >= 3, "pulses")
        assert stop(worker) == 0
    last = list(read_committed(bench.brokers, f"{bench.prefix}-pulse"))[-1]
    assert json.loads(last.value()) == list(range(PARTITIONS))


def test_a_batch_that_always_fails_ends_the_worker_with_one(bench: Bench) -> None:
    bench.send(10)
    produce(bench.brokers, f"{bench.prefix}-in", b"poison", b"eve")
    with bench.worker(0, "poison") as worker:
        assert worker.wait(60) == 1
    log = bench.log(0).read_text()
    assert "cannot digest poison" in log
    assert "worker ends" in log


@pytest.mark.parametrize("guarantee", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.slow)])
def test_records_with_which_nothing_can_be_committed_are_found_and_the_rest_goes_through(
    bench: Bench, guarantee: str
) -> None:
    """A broker refuses an output, state cannot be written, a cycle has no end: none of them names the record."""
    bench.send(300)
    for value in (b"large", b"unwritable", b"inconclusive"):
        produce(bench.brokers, f"{bench.prefix}-in", value, b"eve-%b" % value)
        bench.send(200)
    with bench.worker(0, "sets-aside", f"guarantee={guarantee}") as worker:
        if guarantee == "exactly_once":
            bench.wait_for_outputs()
            assert bench.account() == bench.expected()
        wait_until(lambda: bench.committed_offsets() == bench.end_offsets(), "all to be worked off")
        assert stop(worker) == 0
    log = bench.log(0).read_text()
    assert log.count("record set aside") == 3
    assert "Message size too large" in log
    assert {key: count for key, count in bench.states(0).items() if key.startswith(b"eve")} == {}


@pytest.mark.parametrize(
    "what_blocks", ["stuck", "blocked"], ids=["giving a partition up", "a restore, of partition 0"]
)
def test_a_worker_that_has_crashed_ends_although_something_blocks(bench: Bench, what_blocks: str) -> None:
    produce(bench.brokers, f"{bench.prefix}-in", b"poison", b"eve", partition=1)
    with bench.worker(0, "poison", what_blocks) as worker:
        assert worker.wait(60 + END_SECONDS) == 1
    log = bench.log(0).read_text()
    assert "cannot digest poison" in log
    assert "worker did not end by itself" in log


def test_a_step_that_hangs_ends_the_worker_with_a_traceback_and_leaves_its_record_behind(bench: Bench) -> None:
    bench.send(10)
    produce(bench.brokers, f"{bench.prefix}-in", b"hang", b"eve")
    with bench.worker(0, "hang") as worker:
        assert worker.wait(60) == 1
    log = bench.log(0).read_text()
    assert "Timeout (0:00:02)!" in log
    assert "in process" in log
    left = left_in_hand(bench.state_dir(0) / IN_HAND)
    assert left is not None
    ((place, offset),) = [
        ((m.topic(), m.partition()), m.offset())
        for m in read_committed(bench.brokers, f"{bench.prefix}-in")
        if m.value() == b"hang"
    ]
    assert left.place == place
    assert left.first <= offset <= left.last


def test_it_refuses_to_start_without_its_topics(bench: Bench) -> None:
    admin = AdminClient({"bootstrap.servers": bench.brokers})
    for gone in admin.delete_topics([f"{bench.prefix}-changelog"]).values():
        gone.result(10)
    wait_until(lambda: f"{bench.prefix}-changelog" not in partition_counts(bench.brokers), "its deletion")
    with bench.worker() as worker:
        assert worker.wait(30) == 1
    assert f"topic {bench.prefix}-changelog is missing" in bench.log(0).read_text()


def test_it_refuses_state_whose_offsets_are_gone(bench: Bench) -> None:
    bench.send(100)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    admin = AdminClient({"bootstrap.servers": bench.brokers})
    for gone in admin.delete_consumer_groups([bench.prefix]).values():
        gone.result(10)
    with bench.worker() as worker:
        assert worker.wait(30) == 1
    assert "has no committed offset" in bench.log(0).read_text()


def test_pages_answer_while_it_works(bench: Bench) -> None:
    address = f"127.0.0.1:{free_port()}"
    bench.send(30_000)
    with bench.worker(0, f"address={address}"):
        wait_until(lambda: ask(address).get("ready") is True, "readiness")
        slowest = 0.0
        while bench.outputs() < 30_000:
            started = time.monotonic()
            assert ask(address)
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 2


def test_topics_are_made_once_and_another_count_is_refused(kafka: str, prefix: str) -> None:
    specs = [TopicSpec(f"{prefix}-a", 2), TopicSpec(f"{prefix}-b", 1, config={"cleanup.policy": "compact"})]
    assert sorted(create_topics(kafka, specs)) == [f"{prefix}-a", f"{prefix}-b"]
    assert create_topics(kafka, specs) == []
    with pytest.raises(WrongTopics, match=f"topic {prefix}-a has 2 partitions instead of 3"):
        create_topics(kafka, [TopicSpec(f"{prefix}-a", 3)])


def test_a_reader_stops_at_the_end_and_skips_what_was_aborted(kafka: str, prefix: str) -> None:
    create_topics(kafka, [TopicSpec(prefix, 2)])
    assert list(read_committed(kafka, prefix)) == []
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": prefix})
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        for partition in range(2):
            producer.produce(prefix, b"%d" % number, partition=partition)
        producer.flush()
        (producer.abort_transaction if number % 2 else producer.commit_transaction)()
    seen = [(m.partition(), m.value()) for m in read_committed(kafka, prefix)]
    assert sorted(seen) == [(0, b"0"), (0, b"2"), (1, b"0"), (1, b"2")]
    assert [m.value() for m in read_committed(kafka, prefix, partitions=[1], start={1: 2})] == [b"2"]


def test_a_reader_names_a_topic_that_is_missing(kafka: str, prefix: str) -> None:
    with pytest.raises(TopicMissing, match=prefix):
        list(read_committed(kafka, prefix))
