"""A journal is copied into a prefix with more partitions, where it is folded as it was."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typer.testing import CliRunner

from schemas.outputs import DeadLetter, ProfileView
from schemas.wire import encode
from streams.__main__ import app
from streams.flows.language.files import library_documents
from streams.insights.history import HISTORY
from streams.insights.state import CLOCK, SETTINGS, InsightCodec
from streams.kafka.journal import COPIED
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher
from streams.operations.prefix import open_prefix
from streams.replay.replayer import Source
from streams.shop.generator import Shop
from tests.support.claims import DEVICES, assert_nothing_twice, assert_verified
from tests.support.growing import grown, repartition
from tests.support.outcomes import ORDERED, differing, read_outcome
from tests.support.running import Place, a_worker, make_place, play, send, wait_worked_off
from tests.support.world import START_MS, an_order

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

DIES = """
import os, signal
from streams.operations import repartition as repartitioning
from streams.kafka.transactional import TransactionalProducer
repartitioning._RECORDS_MAX = 50
left = [7]
commit = TransactionalProducer.commit
def commit_or_die(self):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    commit(self)
TransactionalProducer.commit = commit_or_die
from streams.__main__ import main
main()
"""


def arguments(place: Place, to: int) -> list[str]:
    where = ["--brokers", place.settings.brokers, "--prefix", place.settings.prefix]
    return ["repartition", "--to", str(to), "--into", f"{place.settings.prefix}-grown", *where]


def insights(place: Place) -> dict[bytes, Any]:
    """State by key, but for what is told by journal partition."""
    codec, held = InsightCodec(), dict[bytes, Any]()
    for message in place.messages("insights_changelog"):
        key, value = message.key() or b"", message.value()
        held[key] = None if value is None else codec.decode(key, value)
    clock = held.pop(CLOCK)
    del held[SETTINGS]
    by_partition = {"spoken_ms": set(clock.spoken_ms), "complete_ms": set(clock.complete_ms)}
    return {key: value for key, value in held.items() if value is not None} | {
        CLOCK: (msgspec.structs.replace(clock, spoken_ms=(), complete_ms=()), by_partition)
    }


def repeats_by_header(place: Place, topic: str) -> Counter[bool]:
    return Counter(COPIED in dict(message.headers() or ()) for message in place.messages(topic))


def test_a_journal_folded_in_more_partitions_gives_the_same_profiles_and_effects(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path, flows=library_documents(), panel_rows_min=10)
    with a_worker(place):
        play(place, Source("shop", Shop(DEVICES).mapped()))
    killed = subprocess.run([sys.executable, "-c", DIES, *arguments(place, 4)], check=False)
    assert killed.returncode == -9
    done = repartition(place, 4)
    assert done.exit_code == 0, done.output

    new = grown(place, 4)
    published = open_prefix(place.settings).domain
    assert open_prefix(new.settings).domain == published.model_copy(update={"journal_partitions": 4})
    with a_worker(new):
        wait_worked_off(new)
    before, after = read_outcome(place), read_outcome(new)
    assert before.total("forwards_sent") > 0
    assert before.values["triggers"]
    assert before.values["models"]
    assert insights(new) == insights(place)
    assert insights(new)[HISTORY].first_ms
    assert [list(new.messages(topic)) for topic in ("kpis", "anomalies", "models")] == [[], [], []], "told again"
    assert differing(before, after, (*ORDERED, "profiles")) == {}
    assert (after.counts, after.panel, after.journalled) == (before.counts, before.panel, before.journalled)
    assert_nothing_twice(after)
    assert_verified(new)
    for topic in ORDERED:
        assert set(repeats_by_header(new, topic)) == {True}, "subscribers could not tell a repeat"

    at_ms = START_MS + 10**10
    customer = next(key for key in before.values["profiles"] if key.startswith(b"u:")).decode()
    with a_worker(new):
        send(new, [an_order(at_ms, 7_700, user=customer.removeprefix("u:"), order_id="after-the-move")], 0)
        wait_worked_off(new)
    assert repeats_by_header(new, "credits")[False] > 0
    was = place.last("profiles", ProfileView)[customer]
    assert new.last("profiles", ProfileView)[customer].orders == was.orders + 1
    for message in new.messages("journal"):
        key = message.key()
        assert key is None or message.partition() == partition_of(key.decode(), 4)


def test_what_was_set_aside_can_be_brought_back_in_the_new_prefix(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    order = an_order(START_MS, 5_000, user="3")
    with a_worker(place):
        send(place, [an_order(START_MS, user="2")], 0)
        wait_worked_off(place)
    value, number = encode(order), partition_of("u:3", 2)
    letter = DeadLetter(
        "raised",
        "a bug",
        "fold",
        place.topics.journal,
        number,
        9_999,
        b"u:3",
        value,
        {"received_at_ms": START_MS.to_bytes(8, "big")},
    )
    publisher = Publisher(place.settings, "test")
    with publisher.transaction():
        publisher.send(place.topics.dead_letters, 0, b"u:3", encode(letter))
    assert repartition(place, 6).exit_code == 0
    new = grown(place, 6)
    where = ["--brokers", kafka, "--prefix", new.settings.prefix]
    assert "retried: 1" in CliRunner().invoke(app, ["dead-letters", "retry", "--all", *where]).stdout
    with a_worker(new):
        wait_worked_off(new)
    assert read_outcome(new).total("orders") == 2


def test_what_cannot_be_repartitioned_is_refused_in_one_line(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)

    def refused(to: int) -> str:
        done = repartition(place, to)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.output
        said: str = done.stderr
        return said

    with a_worker(place):
        wait_worked_off(place)
        assert "1 workers of prefix" in refused(4)
    assert "3 partitions: use a multiple of the present 2" in refused(3)
    assert "2 partitions: use a multiple" in refused(2)
    assert "less than or equal to 1024" in refused(2_048)
    send(place, [an_order(START_MS, user="2")], 0)
    assert "touchpoints-0 has unprocessed records from offset 0 on" in refused(4)
    with a_worker(place):
        wait_worked_off(place)
    assert repartition(place, 4).exit_code == 0
    assert "is in use, or was finished before" in refused(4)


def test_a_prefix_that_is_copied_by_half_takes_no_workers(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with a_worker(place):
        wait_worked_off(place)
    halved = DIES.replace("left = [7]", "left = [3]")
    assert subprocess.run([sys.executable, "-c", halved, *arguments(place, 4)], check=False).returncode == -9
    where = ["--brokers", kafka, "--prefix", f"{prefix}-grown"]
    done = CliRunner().invoke(app, ["worker", *where])
    assert done.exit_code == 2
    assert "`touchstream repartition` did not finish; run it again" in done.stderr
