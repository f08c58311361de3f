"""Collect sends what arrived with the commit that has written it, once."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from schemas.insights import Arrivals
from schemas.wire import SINGLE_OBJECT
from streams.collect.arriving import Arriving
from streams.engine.batch import Batch
from streams.processors.collecting import Collecting, Source
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.metrics import value
from tests.support.world import START_MS, a_touchpoint

TOPICS = Topics("shop")


def a_collector(metrics: Metrics, arriving: Arriving | None) -> Collecting:
    domain = DomainSettings(clock="marks", touchpoint_partitions=1)
    # compiled code asks for None where a method returns nothing
    clock = Mock(**{"asked.return_value": None, "forget_asked.return_value": None})
    source = Source(lambda _: None, clock, arriving)
    collecting = Collecting(TOPICS, domain, SINGLE_OBJECT, source, Observer(metrics, Known()))
    collecting.assigned(0, None)
    return collecting


def send(collecting: Collecting, count: int) -> None:
    events = [SINGLE_OBJECT.encode(a_touchpoint("page_viewed", START_MS, source="web")) for _ in range(count)]
    records: list[Any] = [Kept(b"1", event, (), offset, 0) for offset, event in enumerate([*events, b"bad"])]
    list(collecting.process(Batch(TOPICS.touchpoints, 0, records, len(records))))


def arrived(collecting: Collecting) -> list[int]:
    outputs = [output for output in collecting.conclude({0}) if output.topic == TOPICS.facts]
    return [each.count for output in outputs for each in SINGLE_OBJECT.decode_as(Arrivals, output.value or b"").series]


def test_what_went_on_is_counted_with_its_commit_and_once() -> None:
    metrics = Metrics()
    collecting = a_collector(metrics, Arriving())
    send(collecting, 3)
    send(collecting, 2)
    assert arrived(collecting) == [5]
    collecting.committed()
    assert arrived(collecting) == []
    assert value(metrics, "source_touchpoints_total", source="web", type="page_viewed") == 5


def test_what_is_aborted_is_counted_when_it_comes_again() -> None:
    metrics = Metrics()
    collecting = a_collector(metrics, Arriving())
    send(collecting, 3)
    assert arrived(collecting) == [3]
    collecting.dropped()
    send(collecting, 3)
    assert arrived(collecting) == [3]
    collecting.committed()
    assert value(metrics, "source_touchpoints_total", source="web", type="page_viewed") == 3


def test_before_rules_4_nothing_is_sent() -> None:
    collecting = a_collector(Metrics(), None)
    send(collecting, 3)
    assert arrived(collecting) == []
