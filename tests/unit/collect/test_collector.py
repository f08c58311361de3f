"""What goes into the journal fits there, and what does not belong in touchpoints is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.catalogue import RECORDS
from schemas.journal import Wake
from schemas.limits import PROPERTIES_BYTES_MAX, PROPERTIES_MAX, VALUE_BYTES_MAX
from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT, Wire, encode
from streams.collect.addresses import address_hash
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.settings import DomainSettings
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Mark

SETTINGS = DomainSettings(clock="marks", touchpoint_partitions=1, journal_partitions=1)


def collected(value: bytes) -> Collected | Mark:
    return collect(value, START_MS, SINGLE_OBJECT, SETTINGS)


def test_canonical_bytes_go_on_as_they_came() -> None:
    value = encode(a_touchpoint("page_viewed", START_MS))
    assert collected(value) == Collected(b"u:1", value, START_MS)


def test_a_touchpoint_full_of_addresses_fits_the_journal_when_they_are_hashed() -> None:
    text = "a@b.c " * 60
    properties = {f"{number:02}": text for number in range(PROPERTIES_MAX)}
    found = collected(encode(a_touchpoint("page_viewed", START_MS, properties=properties)))
    assert isinstance(found, Collected)
    assert PROPERTIES_BYTES_MAX < len(found.value) <= VALUE_BYTES_MAX
    assert b"@" not in found.value


@pytest.mark.parametrize("is_framed", [True, False])
def test_an_address_in_any_framing_is_hashed(*, is_framed: bool) -> None:
    event = a_touchpoint("page_viewed", START_MS, user="ann@x.de", session_id="ann%40x.de")
    of_a_registry = Wire({name: number for number, name in enumerate(RECORDS)})
    value = (of_a_registry if is_framed else SINGLE_OBJECT).encode(event)
    found = collect(value, START_MS, of_a_registry, SETTINGS)
    assert isinstance(found, Collected)
    assert found.key == b"u:" + address_hash("ann@x.de").encode()
    assert of_a_registry.decode(found.value).session_id == address_hash("ann@x.de")


@pytest.mark.parametrize(
    "value",
    [encode(Wake(1)), encode(DeadLetter("r", "d", "s", "t", 0, 0)), SINGLE_OBJECT.header(Wake) + b"\xff" * 800_000],
    ids=["a wake", "a dead letter", "bytes under the frame of a wake"],
)
def test_a_record_of_another_type_is_refused_by_its_frame(value: bytes) -> None:
    with pytest.raises(RefusedRecord) as refused:
        collected(value)
    assert refused.value.reason == "unexpected_type"
