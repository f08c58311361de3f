"""What goes back into the journal has nothing plain, though an earlier release let it in; what passes the door may."""

from __future__ import annotations

import pytest

from schemas.journal import Unparked
from schemas.limits import OUTPUT_BYTES_MAX
from schemas.outputs import NOT_WHOLE, DeadLetter
from schemas.touchpoint import Marketing, Touchpoint
from schemas.wire import SINGLE_OBJECT, encode
from streams.collect.addresses import address_hash
from streams.fold.timers import TIMER
from streams.kafka.partitioner import partition_of
from streams.operations.dead_letters import Letter
from streams.operations.prefix import Prefix
from streams.operations.retry_dead_letters import CannotRetry, Outgoing, record_of
from streams.settings import DomainSettings
from streams.worker_settings import WorkerSettings
from tests.support.world import START_MS, a_touchpoint

HASH = address_hash("ann@x.de")
PREFIX = Prefix(WorkerSettings(prefix="shop"), DomainSettings(), SINGLE_OBJECT)
HEADERS = {"received_at_ms": b"12345678", "hops": b"\x02"}


def again(
    value: bytes | None, key: bytes | None = b"u:1", topic: str = "shop.journal", detail: str = "", stage: str = "fold"
) -> Outgoing:
    held = DeadLetter("raised", detail, stage, topic, 3, 7, key, value, HEADERS)
    return record_of(Letter(0, START_MS, None, held), PREFIX)


def test_a_record_of_touchpoints_goes_back_as_it_came() -> None:
    value = encode(a_touchpoint("page_viewed", START_MS, user="ann@x.de"))
    found = again(value, b"ann@x.de", "shop.touchpoints", stage="collect")
    assert found == Outgoing("shop.touchpoints", 3, b"ann@x.de", value, (("received_at_ms", b"12345678"),))


def test_a_touchpoint_of_the_journal_goes_back_with_hashes() -> None:
    event = a_touchpoint(
        "page_viewed", START_MS, marketing=Marketing(utm_campaign="vip ann@x.de"), properties={"a@b.c": ""}
    )
    found = again(encode(event))
    assert (found.topic, found.partition, found.key) == ("shop.journal", 3, b"u:1")
    touchpoint = SINGLE_OBJECT.decode_as(Touchpoint, found.value or b"")
    assert touchpoint.marketing == Marketing(utm_campaign=f"vip {HASH}")
    assert touchpoint.properties == {address_hash("a@b.c"): ""}


def test_so_does_its_key_with_the_partition_of_the_new_one() -> None:
    event = a_touchpoint("page_viewed", START_MS, user="Ann <ann@x.de>")
    found = again(encode(event), b"u:Ann <ann@x.de>")
    assert found.key == f"u:{HASH}".encode()
    assert found.partition == partition_of(f"u:{HASH}", PREFIX.domain.journal_partitions)
    assert found.headers == (("received_at_ms", b"12345678"),)


@pytest.mark.parametrize(
    "value", [None, b"", b"ann@x.de", encode(Unparked("score")), encode(a_touchpoint("x", START_MS))]
)
def test_any_other_record_of_the_journal_goes_back_as_it_was(value: bytes | None) -> None:
    found = again(value)
    assert (found.partition, found.key, found.value) == (3, b"u:1", value)


def test_a_timer_comes_back_as_a_record_of_its_customer() -> None:
    found = again(b"", topic=f"{TIMER}score")
    assert found.value == encode(Unparked("score"))
    assert found.partition == partition_of("u:1", PREFIX.domain.journal_partitions)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"stage": "replay"}, "fix the file"),
        ({"topic": "other.journal"}, "not an input"),
        ({"detail": f"why ({NOT_WHOLE})"}, "too large to keep"),
        ({"key": None}, "a whole partition"),
        ({"value": b"x" * OUTPUT_BYTES_MAX}, "no topic takes so many"),
    ],
)
def test_what_cannot_come_back_says_why(given: dict[str, object], why: str) -> None:
    with pytest.raises(CannotRetry, match=why):
        again(**{"value": b"", **given})  # type: ignore[arg-type]
