"""Journal records that are folded while instructions are counted; made beforehand, and read from a file."""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import RULES, Configured
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.fold.record import journal_headers
from streams.kafka.partitioner import partition_of_key
from streams.settings import DomainSettings
from tests.bench.flow_sets import ONE
from tests.bench.mix import ATTRIBUTES, clickstream, touchpoints, with_attributes
from tests.support.flows import TEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from schemas.touchpoint import Touchpoint

PARTITIONS = 4
WARM_UP = 8_000
"""Touchpoints that are folded and committed before those that count."""
COUNTED = 3_000
_SHOP_DAYS_FOR = 40_000
"""Touchpoints in the 30 days of the made shop: the more there are, the closer they follow each other."""


class Mix(NamedTuple):
    """Touchpoints, and the flows that they meet."""

    events: Callable[[int], Iterable[Touchpoint]]
    flows: tuple[dict[str, JsonValue], ...]
    is_real: bool
    """From the folder of the real data, which is not everywhere."""
    attributes: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """The catalogue of attributes."""


MIXES = {
    "clickstream, one flow": Mix(clickstream, ONE, is_real=True),
    "clickstream, ten flows": Mix(clickstream, TEN, is_real=True),
    "made shop, one flow": Mix(touchpoints, ONE, is_real=False),
    "made shop, ten flows": Mix(touchpoints, TEN, is_real=False),
    "made shop, ten attributes": Mix(with_attributes, TEN, is_real=False, attributes=ATTRIBUTES),
}


class JournalRecord(msgspec.Struct, frozen=True, array_like=True):
    """A touchpoint as it is in the journal."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Workload(msgspec.Struct, frozen=True, array_like=True):
    """Settings, then the records of all partitions in the order in which they were written."""

    settings: str
    configured: bytes
    """The record that begins each partition."""
    records: list[JournalRecord]


def write_workload(mix: Mix, path: Path) -> None:
    """Writes WARM_UP + COUNTED records of a mix."""
    given = {"clock": "marks", "consent_default": "granted", "flows": mix.flows, "attributes": mix.attributes}
    domain = DomainSettings.model_validate(given)
    settings = domain.model_dump_json()
    ends = [1] * PARTITIONS
    records = []
    for event in islice(mix.events(_SHOP_DAYS_FOR), WARM_UP + COUNTED):
        key = key_of(event) or b""
        partition = partition_of_key(key, PARTITIONS)
        headers = list(journal_headers(event.time_ms))
        records.append(JournalRecord(partition, ends[partition], key, SINGLE_OBJECT.encode(event), headers))
        ends[partition] += 1
    workload = Workload(settings, SINGLE_OBJECT.encode(Configured(settings, 0, RULES)), records)
    path.write_bytes(msgspec.msgpack.encode(workload))


def read_workload(path: Path) -> Workload:
    """What `write_workload` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Workload)
