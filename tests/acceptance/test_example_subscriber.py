"""The example of a subscriber, as a process on a real Kafka."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from schemas import wire
from schemas.outputs import Revocation, Trigger
from schemas.touchpoint import Message, Product, Touchpoint
from streams.collect.keys import key_of
from streams.demo.servers.places import PROJECT
from streams.demo.servers.server import Server
from tests.support.effects import a_trigger
from tests.support.flows import a_reminder
from tests.support.producing import a_producer
from tests.support.running import Place, a_worker, make_place
from tests.support.watching import until
from tests.support.world import HOUR_MS

if TYPE_CHECKING:
    from pathlib import Path

    import msgspec

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

SOON_MS = 8_000
"""Longer than it takes to read what was written, and to be killed."""


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    flow = a_reminder(wait={"for": "1s"}, holdout_percent=0)
    return make_place(kafka, prefix, tmp_path, clock="wall", flows=(flow,))


def the_subscriber(place: Place) -> Server:
    folder = place.folder / "subscriber"
    folder.mkdir(exist_ok=True)
    named = {"BROKERS": place.settings.brokers, "PREFIX": place.settings.prefix, "INBOX": "inbox.sqlite"}
    program = str(PROJECT / "deploy" / "examples" / "subscriber.py")
    variables = [f"{name}={value}" for name, value in named.items()]
    return Server(["env", *variables, sys.executable, program], folder / "sent.log")


def sent(place: Place) -> list[dict[str, Any]]:
    """What it gave to the provider, in order."""
    lines = (place.folder / "subscriber" / "sent.log").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def write(place: Place, topic: str, key: str, *records: msgspec.Struct) -> None:
    with a_producer(place.settings.brokers) as producer:
        for record in records:
            producer.produce(topic, wire.encode(record), key)


def due(name: str, due_in_ms: int = 0, expires_in_ms: int = HOUR_MS, channel: str = "email") -> Trigger:
    now_ms = time.time_ns() // 1_000_000
    return a_trigger(trigger_id=name, channel=channel, due_ms=now_ms + due_in_ms, expires_ms=now_ms + expires_in_ms)


def ids(place: Place) -> list[str]:
    return [each["trigger_id"] for each in sent(place)]


def test_it_sends_what_is_due_and_neither_expired_nor_revoked_once_and_after_a_kill_too(place: Place) -> None:
    write(place, place.topics.triggers, "u:1", due("first"))
    subscriber = the_subscriber(place)
    try:
        until(lambda: ids(place) == ["first"], "it is there")
        now, late = due("now"), due("late", due_in_ms=-2, expires_in_ms=-1)
        soon, revoked = due("soon", due_in_ms=SOON_MS), due("revoked", due_in_ms=SOON_MS)
        taken_back = Revocation(
            "revoked", "u:1", "abandoned_cart", "email", "The customer has ordered.", revoked.due_ms - 1
        )
        write(place, place.topics.triggers, "u:1", now, soon, revoked, late, now, taken_back)
        until(lambda: ids(place) == ["first", "now"], "what is due is sent")
    finally:
        subscriber.kill()
    write(place, place.topics.triggers, "u:1", now, soon, late, due("push", channel="push"))
    subscriber = the_subscriber(place)
    try:
        until(lambda: {"soon", "push"} < set(ids(place)), "what waited at the kill, and what came since, is sent")
        write(place, place.topics.triggers, "u:1", soon, due("end"))
        until(lambda: "end" in ids(place), "the last one is sent")
    finally:
        subscriber.stop()
    assert sorted(ids(place)) == ["end", "first", "now", "push", "soon"]
    told = {each.event_id: each for each in place.records("touchpoints", Touchpoint)}
    assert sorted(told) == ["delivered-end", "delivered-first", "delivered-now", "delivered-soon"]
    assert told["delivered-soon"].time_ms >= soon.due_ms


def test_what_it_sends_comes_back_to_the_customer_as_a_touchpoint(place: Place) -> None:
    add = Touchpoint(
        event_id="add",
        type="product_added",
        time_ms=time.time_ns() // 1_000_000,
        user_id="1",
        products=(Product("mug", 900, 1),),
    )
    subscriber = the_subscriber(place)
    try:
        with a_worker(place):
            write(place, place.topics.touchpoints, (key_of(add) or b"").decode(), add)
            until(lambda: len(delivered(place)) == 1, "the journal has the delivery", 40)
    finally:
        subscriber.stop()
    (trigger,) = place.records("triggers", Trigger)
    ((key, touchpoint),) = delivered(place)
    assert ids(place) == [trigger.trigger_id]
    assert key == trigger.customer == "u:1"
    assert touchpoint.message == Message(trigger.trigger_id, "abandoned_cart", 1, "treatment")
    assert touchpoint.time_ms >= trigger.due_ms


def delivered(place: Place) -> list[tuple[str, Touchpoint]]:
    return [(key, each) for key, each in place.keyed("journal", Touchpoint) if each.type == "email_delivered"]
