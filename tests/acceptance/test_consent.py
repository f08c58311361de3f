"""Nobody gets a message after a withdrawal, although it is in a partition that nobody works on."""

from __future__ import annotations

import itertools
import os
import signal
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.outputs import DeadLetter, Decision, Trigger
from schemas.touchpoint import Mark
from streams.kafka.config import reader_config
from streams.kafka.partitioner import partition_of
from tests.support.flows import a_flow
from tests.support.running import AWorker, Place, a_worker, make_place, send, wait_worked_off
from tests.support.watching import until
from tests.support.world import HOUR_MS, START_MS, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.acceptance

SESSION_MS = 60_000
"""Longer than the test: a stopped worker keeps its partitions."""
QUIET_SECONDS = 3.0
FOLLOWED = 10


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    return make_place(kafka, prefix, tmp_path, touchpoint_partitions=1, journal_partitions=4, flows=(a_flow(),))


def owned(worker: AWorker) -> set[tuple[str, int]]:
    """Input partitions of a worker, as it reports them."""
    text = httpx.get(f"{worker.address}/metrics", trust_env=False, timeout=5).text
    return {
        (sample.labels["topic"], int(sample.labels["partition"]))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "touchstream_lag_records"
    }


def shares(place: Place, *workers: AWorker) -> list[set[int]]:
    """Waits until the partitions are shared out; the journal's by worker, first those of the one that collects."""
    count = place.domain.touchpoint_partitions + place.domain.journal_partitions + 1

    def is_settled() -> bool:
        found = [owned(worker) for worker in workers]
        return all(found) and sum(map(len, found)) == len(set.union(*found)) == count

    until(is_settled, "every partition has one owner")
    found = sorted(map(owned, workers), key=lambda places: (place.topics.touchpoints, 0) not in places)
    return [{number for topic, number in places if topic == place.topics.journal} for places in found]


@contextmanager
def stopped(worker: AWorker) -> Iterator[None]:
    """The worker does nothing meanwhile, and keeps its partitions."""
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def names(place: Place, kind: str, partitions: set[int]) -> Iterator[str]:
    """Names whose keys of that kind are in these partitions of the journal; those of addresses are hashes."""
    for number in itertools.count():
        name = sha256(b"%d" % number).hexdigest() if kind == "e" else f"{kind}{number}"
        if partition_of(f"{kind}:{name}", place.domain.journal_partitions) in partitions:
            yield name


def committed(place: Place) -> dict[int, int]:
    """The group's offsets in the journal."""
    consumer = Consumer(reader_config(place.settings.brokers, {}, group=place.settings.prefix))
    asked = [TopicPartition(place.topics.journal, number) for number in range(place.domain.journal_partitions)]
    found = {each.partition: each.offset for each in consumer.committed(asked, 10.0)}
    consumer.close()
    return found


def wait_until_quiet(place: Place) -> None:
    """Returns when the journal has not been worked on for some seconds."""
    last, since = committed(place), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.2)
        now = committed(place)
        if now != last:
            last, since = now, time.monotonic()


@pytest.mark.parametrize("has_own_record", [False, True], ids=["time-alone", "own-record"])
def test_no_mail_follows_a_withdrawal_that_waits_in_a_partition_without_a_worker(
    place: Place, *, has_own_record: bool
) -> None:
    """The worker that owns the partitions of addresses and devices stops while the other goes on.

    Time comes to the other's partitions by a day, and some customers come back. If it came as soon as it was
    collected, or if what they do let their reminders out, these would go out before the withdrawals and orders have
    been forwarded to the customers.
    """
    with (
        a_worker(place, "0", session_timeout_ms=SESSION_MS) as one,
        a_worker(place, "1", session_timeout_ms=SESSION_MS) as two,
    ):
        goes_on, stands_still = shares(place, one, two)
        still = two if (place.topics.touchpoints, 0) in owned(one) else one
        users, addresses, devices = (
            list(itertools.islice(names(place, kind, partitions), FOLLOWED))
            for kind, partitions in (("u", goes_on), ("e", stands_still), ("a", stands_still))
        )
        withdrawn, bought, left = users[:4], users[4:8], users[8:]
        address_of, device_of = dict(zip(users, addresses, strict=True)), dict(zip(users, devices, strict=True))
        adds = [an_add(START_MS + 1, user=u, email_hash=address_of[u], anonymous_id=device_of[u]) for u in users]
        send(place, [Mark(START_MS), *adds])
        send(place, [Mark(START_MS + HOUR_MS)])
        wait_worked_off(place)

        with stopped(still):
            at_ms = START_MS + HOUR_MS + 1
            send(place, (a_touchpoint("email_unsubscribed", at_ms, None, email_hash=address_of[u]) for u in withdrawn))
            send(place, (an_order(at_ms, user=None, anonymous_id=device_of[u]) for u in bought))
            if has_own_record:
                send(place, (a_touchpoint("page_viewed", START_MS + 5 * HOUR_MS, user) for user in users))
            send(place, (Mark(START_MS + hour * HOUR_MS) for hour in range(2, 25)))
            wait_until_quiet(place)
            assert place.records("triggers", Trigger) == []
        wait_worked_off(place)
    assert place.records("dead_letters", DeadLetter) == []
    assert sorted(trigger.user_id or "" for trigger in place.records("triggers", Trigger)) == sorted(left)
    last = {each.customer[2:]: each.outcome for each in place.records("decisions", Decision)}
    no_consent, exited = ("revoked", "revoked") if has_own_record else ("no_consent", "exited")
    assert last == {
        **dict.fromkeys(withdrawn, no_consent),
        **dict.fromkeys(bought, exited),
        **dict.fromkeys(left, "sent"),
    }
