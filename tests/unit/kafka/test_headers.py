"""Headers that cannot be read cost the record, not the worker."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.wire import SINGLE_OBJECT, WireError
from streams.kafka.headers import headers_of, readable_headers
from streams.kafka.journal import counted_as_letter, read_record
from streams.processors.letters import dead_letter
from tests.support.kept import Kept
from tests.support.world import START_MS, a_touchpoint

VALUE = SINGLE_OBJECT.encode(a_touchpoint("page_viewed", START_MS))


class Strange(Kept):
    """A message whose header's name is no UTF-8, as confluent-kafka gives it."""

    def headers(self) -> Any:
        raise SystemError("<method 'headers'> returned a result with an exception set")


STRANGE = cast("Any", Strange(b"u:1", VALUE, kept_offset=17, kept_partition=3, kept_topic="shop.journal"))


def test_headers_that_are_not_utf_8_are_named() -> None:
    with pytest.raises(WireError, match="the name of a header is not UTF-8"):
        headers_of(STRANGE)
    assert readable_headers(STRANGE) == ()


def test_a_journal_record_with_such_headers_cannot_be_read() -> None:
    with pytest.raises(WireError):
        read_record(STRANGE, SINGLE_OBJECT)
    assert counted_as_letter(STRANGE) == ()


def test_its_dead_letter_has_the_bytes_and_the_position() -> None:
    letter = dead_letter("fold", "malformed", "the name of a header is not UTF-8", STRANGE)
    assert (letter.source_topic, letter.source_partition, letter.source_offset) == ("shop.journal", 3, 17)
    assert (letter.key, letter.value, letter.headers) == (b"u:1", VALUE, {})
