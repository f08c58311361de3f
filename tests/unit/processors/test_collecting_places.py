"""Producers that put touchpoints into other partitions than their keys belong to are noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from schemas.wire import SINGLE_OBJECT
from streams.engine.batch import Batch
from streams.kafka.partitioner import partition_of_key
from streams.processors.collecting import LOOKED_AT_EVERY, Collecting, Source
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.metrics import value
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = [b"u:%d" % number for number in range(200)]


def misplaced(keys: Sequence[bytes | None], partition: int, *, is_dropped: bool = False) -> float | None:
    """What the metric says of records with these keys in a partition."""
    metrics, unused = Metrics(), Source(lambda _: None, Mock())
    domain = DomainSettings(clock="marks", touchpoint_partitions=4)
    collecting = Collecting(Topics("shop"), domain, SINGLE_OBJECT, unused, Observer(metrics, Known()))
    collecting.assigned(partition, None)
    event = SINGLE_OBJECT.encode(a_touchpoint("page_viewed", START_MS))
    records: list[Any] = [Kept(key, event, (), offset, partition) for offset, key in enumerate(keys)]
    list(collecting.process(Batch("shop.touchpoints", partition, records, len(records))))
    if is_dropped:
        collecting.dropped()
    collecting.committed()
    return value(metrics, "misplaced_touchpoints_total")


@pytest.mark.parametrize("partition", range(4))
def test_records_where_every_kafka_client_puts_them_are_not_counted(partition: int) -> None:
    assert misplaced([key for key in KEYS if partition_of_key(key, 4) == partition], partition) == 0


def test_of_the_others_one_in_so_many_is_counted() -> None:
    elsewhere = [key for key in KEYS if partition_of_key(key, 4) != 1][: 4 * LOOKED_AT_EVERY]
    assert misplaced(elsewhere, 1) == 4


def test_a_single_record_is_looked_at() -> None:
    assert misplaced([next(key for key in KEYS if partition_of_key(key, 4) != 1)], 1) == 1


def test_a_record_without_a_key_has_no_place_of_its_own() -> None:
    assert misplaced([None, b""] * LOOKED_AT_EVERY, 1) == 0


@pytest.mark.interpreted
def test_what_is_not_committed_is_not_counted() -> None:
    assert misplaced([next(key for key in KEYS if partition_of_key(key, 4) != 1)], 1, is_dropped=True) == 0
