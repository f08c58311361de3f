"""When a record of the journal was appended, as far as a broker says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from schemas.journal import Progress
from schemas.wire import SINGLE_OBJECT
from streams.kafka.journal import APPENDED, COPIED, read_record
from tests.support.kept import Kept
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from confluent_kafka import Message

VALUE = SINGLE_OBJECT.encode(Progress())


def appended_ms(kind: int, **headers: bytes) -> int:
    kept = Kept(None, VALUE, tuple(headers.items()), kept_timestamp=(kind, START_MS))
    return read_record(cast("Message", kept), SINGLE_OBJECT).appended_ms


def test_the_brokers_stamp_is_the_time_of_the_append() -> None:
    assert appended_ms(TIMESTAMP_LOG_APPEND_TIME) == START_MS


def test_the_stamp_of_whoever_wrote_the_record_says_nothing() -> None:
    assert appended_ms(TIMESTAMP_CREATE_TIME) == 0
    assert appended_ms(TIMESTAMP_CREATE_TIME, **{APPENDED: START_MS.to_bytes(8, "big")}) == 0


def test_a_copy_was_appended_when_its_original_was() -> None:
    day_before = START_MS - DAY_MS
    assert (
        appended_ms(TIMESTAMP_LOG_APPEND_TIME, **{COPIED: b"", APPENDED: day_before.to_bytes(8, "big")}) == day_before
    )


@pytest.mark.parametrize("foreign", [(START_MS + DAY_MS).to_bytes(8, "big"), b"\xff" * 1_000, b""])
def test_no_header_moves_the_append_into_the_future(foreign: bytes) -> None:
    assert appended_ms(TIMESTAMP_LOG_APPEND_TIME, **{APPENDED: foreign}) == START_MS
