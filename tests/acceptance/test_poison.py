"""A record that makes the code raise is set aside, and comes back once after a fix."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaException

from schemas.outputs import DeadLetter, Decision
from schemas.wire import SINGLE_OBJECT, encode
from streams.demo.report.accounting import Account, account_of, balances
from streams.demo.report.reading import read_records
from streams.kafka.publisher import Publisher
from streams.kafka.reader import read_committed
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import ReplaySummary, Source
from tests.support.claims import assert_verified
from tests.support.commands import refused, run
from tests.support.flows import a_flow
from tests.support.outcomes import read_outcome
from tests.support.producing import produce
from tests.support.running import WORKER, AWorker, Place, a_worker, make_place, play, send, wait_worked_off
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.touchpoint import Touchpoint

pytestmark = pytest.mark.acceptance

BUGS = """
import streams.fold.fold, streams.fold.timers, streams.processors.collecting

def with_a_bug(function, is_met):
    def broken(*given, **named):
        if is_met(*given):
            raise ZeroDivisionError("the release has a bug")
        return function(*given, **named)
    return broken

streams.processors.collecting.collect = with_a_bug(
    streams.processors.collecting.collect, lambda value, *_: b"poison at the door" in (value or b""))
streams.fold.fold.fold_touchpoint = with_a_bug(
    streams.fold.fold.fold_touchpoint,
    lambda before, changes, arrival, at: arrival.event.source == "poison in the fold")
streams.fold.timers.flow_due = with_a_bug(
    streams.fold.timers.flow_due, lambda profile, run, flows, at: at.customer == "u:cart")
"""
DIES = """
import os, signal
from streams.kafka.transactional import TransactionalProducer
TransactionalProducer.commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)
from streams.__main__ import main
main()
"""


class ABrokenWorker(AWorker):
    """A release with three bugs."""

    @property
    def program(self) -> list[str]:
        return ["-c", BUGS + WORKER]


def command(place: Place, *arguments: str) -> str:
    done = run("dead-letters", *arguments, **place.variables)
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(place: Place, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(place, "list", "--json", *arguments))["letters"]
    return found


def retried(place: Place, *arguments: str) -> tuple[int, int]:
    """Letters brought back, and found to have been before."""
    done = json.loads(command(place, "retry", "--json", *arguments))
    assert done["refused"] == []
    return sum(done["brought_back"].values()), done["before"]


def story() -> list[Touchpoint]:
    """Good orders around three poisoned ones, of which one comes from a device, and a cart whose reminder is due."""
    good = [an_order(START_MS + hour * HOUR_MS, user=f"good-{hour % 3}") for hour in range(12)]
    phone = {"anonymous_id": "phone"}
    return sorted(
        [
            *good,
            an_order(START_MS + HOUR_MS + 1, 5_000, user="door", source="poison at the door"),
            an_order(START_MS + HOUR_MS + 2, 6_000, user="fold", source="poison in the fold"),
            a_touchpoint("page_viewed", START_MS + HOUR_MS, "owner", **phone),
            an_order(START_MS + DAY_MS, 7_000, user=None, source="poison in the fold", **phone),
            an_add(START_MS + 3 * HOUR_MS, user="cart"),
        ],
        key=lambda event: event.time_ms,
    )


def account(place: Place, summary: ReplaySummary) -> Account:
    records = read_records(lambda topic: read_committed(place.settings.brokers, topic), place.topics, SINGLE_OBJECT)
    return account_of(records, summary, sum(file.lines for file in summary.files.values()), "EUR")


def poisoned(kafka: str, prefix: str, folder: Path) -> tuple[Place, ReplaySummary]:
    place = make_place(kafka, prefix, folder, flows=[a_flow()])
    broken = ABrokenWorker(place)
    with broken:
        summary = play(place, Source("shop", [MappedTouchpoint(event, 1) for event in story()]))
    assert broken.exit_code == 0, broken.log.read_text()[-4000:]
    return place, summary


def test_poison_is_set_aside_and_brought_back_once_after_the_fix(kafka: str, prefix: str, tmp_path: Path) -> None:
    place, summary = poisoned(kafka, prefix, tmp_path)
    letters = listed(place)
    assert sorted((letter["stage"], letter["reason"], letter["key"]) for letter in letters) == [
        ("collect", "raised", "u:door"),
        ("fold", "raised", "u:fold"),
        ("fold", "raised", "u:owner"),
        ("fold", "timer_failed", "u:cart"),
    ]
    assert all("the release has a bug" in letter.detail for letter in place.records("dead_letters", DeadLetter))
    before = account(place, summary)
    assert (before.orders, before.fold_dead_letters) == (12, 2)
    assert [each for each in balances(before) if not each.startswith("candidates")] == []

    with a_worker(place):
        assert retried(place, "--reason", "raised") == (3, 0)
        assert retried(place, "--all") == (1, 3)
        assert retried(place, "--all") == (0, 4)
        wait_worked_off(place)
    after = account(place, summary)
    assert balances(after) == []
    assert (after.orders, after.revenue_minor) == (15, 12 * 4_200 + 5_000 + 6_000 + 7_000)
    assert (after.retried, after.duplicates, after.decisions_open) == ({"collect": 1, "fold": 2}, 0, 0)
    (decided,) = [each for each in place.records("decisions", Decision) if each.final]
    assert (decided.customer, decided.outcome) == ("u:cart", "expired")
    assert all(letter["retried_ms"] for letter in listed(place))
    assert read_outcome(place).letters.total() == 4


def two_raised(place: Place) -> None:
    broken = ABrokenWorker(place)
    with broken:
        send(
            place,
            [
                an_order(START_MS, 5_000, user="door", source="poison at the door"),
                an_order(START_MS, 6_000, user="fold", source="poison in the fold"),
            ],
        )
        wait_worked_off(place)
    assert [letter["reason"] for letter in listed(place)] == ["raised", "raised"]


def test_a_retry_that_dies_before_its_commit_is_repeated_and_brings_each_record_once(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    two_raised(place)
    where = ["--brokers", kafka, "--prefix", prefix]
    killed = subprocess.run([sys.executable, "-c", DIES, "dead-letters", "retry", "--all", *where], check=False)
    assert killed.returncode == -9
    assert [letter["retried_ms"] for letter in listed(place)] == [None, None]
    assert retried(place, "--all") == (2, 0)
    with a_worker(place):
        wait_worked_off(place)
    outcome = read_outcome(place)
    assert (outcome.total("orders"), outcome.total("duplicates")) == (2, 0)
    assert outcome.touchpoints == 3
    assert_verified(place)


def test_of_two_retries_at_once_the_earlier_is_fenced(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    two_raised(place)
    earlier = Publisher(place.settings, "dead-letters-retry")

    def overtaken() -> None:
        with earlier.transaction():
            earlier.send(place.topics.touchpoints, 0, b"u:door", encode(an_order(START_MS, 9_000, user="door")))
            earlier.flush()
            assert retried(place, "--all") == (2, 0)

    with pytest.raises(KafkaException, match="fenced"):
        overtaken()
    with a_worker(place):
        wait_worked_off(place)
    assert read_outcome(place).total("revenue_minor") == 11_000


def test_what_never_came_through_the_door_is_shown_only_on_demand(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    address = "anna@example.com"
    with a_worker(place):
        produce(kafka, place.topics.touchpoints, json.dumps({"email": address}).encode(), address.encode())
        wait_worked_off(place)
    (letter,) = listed(place)
    position = str(letter["position"])
    assert address not in command(place, "list") + command(place, "show", position)
    assert "--bytes shows them" in command(place, "show", position)
    assert address in command(place, "show", position, "--bytes")
    assert listed(place, "--stage", "fold") == listed(place, "--since", "0s") == []
    assert listed(place, "--reason", letter["reason"], "--since", "1h") == [letter]


def test_a_line_of_a_file_is_not_brought_back_but_says_what_to_do(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    letter = DeadLetter("bad_time", "no time", "replay", "clicks.csv", -1, 7, value=b"yesterday,view")
    publisher = Publisher(place.settings, "test")
    with publisher.transaction():
        publisher.send(place.topics.dead_letters, 0, None, encode(letter))
    said = command(place, "retry", "--all")
    assert "0 cannot be retried: it is line 7 of the file clicks.csv: fix the file and replay it" in said
    assert "retried: none" in said


def test_a_position_without_a_letter_is_told_in_one_line(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    for wrong in (["show", "12"], ["retry", "12"], ["retry"], ["list", "--since", "yesterday"]):
        refused("dead-letters", *wrong, **place.variables)
