"""Records of our own types that a foreign hand wrote: each is set aside, and the partition goes on as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schemas.journal import (
    Absorbed,
    AddressConsent,
    AddressNotice,
    CollectedTo,
    Configured,
    Link,
    ModelChunk,
    ModelTick,
    PartitionProgress,
    Progress,
    SetAside,
    SlotAnswered,
    SlotAsked,
    SlotsDue,
    TickedModel,
    Unlink,
    Unparked,
    Wake,
)
from schemas.limits import LONG_MAX, MODEL_BYTES_MAX, MODELS_BYTES_MAX
from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT
from state.codec import frame
from streams.fold.attempt import RAISED
from streams.fold.moment import Rejected
from streams.fold.record import journal_headers
from streams.profiles.codec import encode_profile
from streams.profiles.features import FEATURES, ClusterModel
from streams.profiles.profile import Profile
from streams.profiles.scores import CutsModel
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.world import DAY_MS, START_MS, World, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator

FAR_MS = (1 << 62) + 1
HEADERS = journal_headers(START_MS)
AN_ORDER = an_order(START_MS, user="1")
ANOTHER = an_order(START_MS + 2, user="1")
CUTS = CutsModel("v", START_MS, (1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), 9)
CLUSTERS = ClusterModel("v", 0, FEATURES, (0.0,) * 5, (1.0,) * 5, ((0.0,) * 5,), ("all",), (0,), (9,))


def a_worker() -> MemoryWorker:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=2, journal_partitions=1))
    worker.send(AN_ORDER)
    worker.pass_time(START_MS + 1)
    return worker


def times(*partitions: int) -> tuple[PartitionProgress, ...]:
    return tuple(PartitionProgress(number, START_MS + DAY_MS) for number in partitions)


def a_chunk(model: msgspec.Struct, kind: str = "cuts") -> ModelChunk:
    return ModelChunk(kind, "v", 0, 1, "json", msgspec.json.encode(model))


def chunk(**changes: Any) -> ModelChunk:
    return msgspec.structs.replace(a_chunk(CUTS), **changes)


SETTINGS = {"clock": "marks", "touchpoint_partitions": 2, "journal_partitions": 1}


def settings(**changes: Any) -> Configured:
    return Configured(msgspec.json.encode({**SETTINGS, **changes}).decode(), 0)


FOREIGN: list[tuple[bytes | None, Any, str]] = [
    (None, Progress(times(2)), "unknown_partition"),
    (None, Progress(times(-1)), "unknown_partition"),
    (None, Progress(times(0, 1, -(1 << 63))), "unknown_partition"),
    (None, CollectedTo(times(-1)), "unknown_partition"),
    (None, CollectedTo(times(1 << 62)), "unknown_partition"),
    (None, Configured("no JSON", 0), "bad_settings"),
    (None, Configured("[]", 0), "bad_settings"),
    (None, Configured("", 0), "bad_settings"),
    (None, settings(touchpoint_partitions=-1), "bad_settings"),
    (None, settings(touchpoint_partitions=3), "bad_settings"),
    (None, settings(clock="wall"), "bad_settings"),
    (None, chunk(index=-1), "bad_model"),
    (None, chunk(index=1), "bad_model"),
    (None, chunk(index=1 << 40, count=1 << 41), "bad_model"),
    (None, chunk(version="v" * 600), "bad_model"),
    (None, chunk(body=b"x" * (MODEL_BYTES_MAX + 1)), "bad_model"),
    (None, ModelTick(START_MS, -1), "bad_model"),
    (None, ModelTick(START_MS, 1_000_001), "bad_model"),
    (None, ModelTick(START_MS, 1, first_event_ms=-1), "bad_model"),
    (None, ModelTick(START_MS, 1, first_event_ms=LONG_MAX), "bad_model"),
    (b"", an_order(START_MS, user="1"), "bad_key"),
    (b"\x00partition", an_order(START_MS, user="1"), "bad_key"),
    (b"x:1", an_order(START_MS, user="1"), "bad_key"),
    (b"u:" + b"x" * 100_000, an_order(START_MS, user="1"), "bad_key"),
    (b"u:\xff", an_order(START_MS, user="1"), "malformed"),
    (b"\x00partition", Unparked("score"), "bad_key"),
    (b"\x00partition", Link("u:1", START_MS, "event"), "bad_key"),
    (None, Link("u:1", START_MS, "event"), "bad_key"),
    (b"o:1", Link("u:1", START_MS, "event"), "bad_key"),
    (b"o:1", Unlink("u:1", START_MS, "event"), "bad_key"),
    (b"s:1", AddressNotice("ordered", "a" * 64, START_MS, START_MS, "event"), "bad_key"),
    (b"u:1", AddressNotice("limited", "a" * 64, START_MS, START_MS, "event", at_most=-1), "no_notice"),
    (b"u:1", AddressNotice("listed", "a" * 64, START_MS, START_MS, "event", why="x" * 121), "no_notice"),
    (b"u:1", AddressNotice("listed", "a" * 64, START_MS, START_MS, "event", source="\xe9" * 33), "no_notice"),
    (b"u:1", AddressNotice("unlisted", "", START_MS, START_MS, "event"), "no_notice"),
    (b"u:1", AddressNotice("limited", "a" * 64, START_MS, START_MS, "event", only_flow="x" * 65), "no_notice"),
    (b"s:1", AddressConsent("email", granted=False, time_ms=START_MS, cause="event"), "bad_key"),
    (b"u:1", SlotAsked("asked", "u:1", START_MS, ()), "bad_key"),
    (b"e:1", SlotAsked("asked", "x:1", START_MS, ()), "bad_key"),
    (b"e:1", SlotAsked("wanted", "u:1", START_MS, ()), "bad_slot"),
    (b"o:1", SlotsDue(START_MS, 1), "bad_key"),
    (b"s:1", SlotAnswered("c", is_granted=True), "bad_key"),
    (b"a:1", Link("u:" + "x" * 100_000, START_MS, "event"), "bad_link"),
    (b"a:1", Link("\x00partition", START_MS, "event"), "bad_link"),
    (b"a:1", Link("u:1", START_MS, "x" * 100_000), "bad_link"),
    (b"a:1", Unlink("\x00partition", START_MS, "event"), "bad_link"),
    (b"a:1", Unlink("u:1", START_MS, "x" * 100_000), "bad_link"),
    (b"a:1", Unlink("u:1", START_MS, "event", "u:" + "x" * 100_000), "bad_link"),
    (b"e:1", AddressConsent("x" * 100_000, granted=True, time_ms=START_MS, cause="event"), "no_consent"),
    (b"u:1", AddressConsent("email", granted=True, time_ms=START_MS, cause="x" * 100_000), "no_consent"),
    (b"u:1", Absorbed("a:1", b"garbage", START_MS), "bad_profile"),
    (b"u:1", Absorbed("a:1", b"", START_MS), "bad_profile"),
    (b"u:1", Absorbed("a:1", frame(255, 0, b""), START_MS), "bad_profile"),
    (b"u:1", Absorbed("a:1", frame(4, 0, b"\xc1"), START_MS), "bad_profile"),
    (b"u:1", Absorbed("x" * 100_000, b"", START_MS), "bad_key"),
    (None, DeadLetter("", "", "", "", 0, 0), "unexpected_type"),
]


OF_PEOPLE = (
    Link("u:1", START_MS, "foreign"),
    Unlink("u:1", START_MS, "foreign", "u:0"),
    Absorbed("a:phone", encode_profile(Profile(first_ms=START_MS, rules=4)), START_MS),
    AddressConsent("email", granted=True, time_ms=START_MS, cause="foreign"),
    AddressNotice("withdrawn", "ab" * 32, START_MS, START_MS, "foreign"),
)


@pytest.mark.parametrize("key", ["o:1", "s:ads"])
@pytest.mark.parametrize("record", OF_PEOPLE, ids=lambda each: type(each).__name__)
def test_what_is_of_people_leaves_nothing_at_an_order_or_a_channel(key: str, record: Any) -> None:
    world = World()
    with pytest.raises(Rejected, match="bad_key"):
        world.append(key, record)
    assert world.profile(key) is None


@pytest.mark.parametrize(("key", "record", "reason"), FOREIGN, ids=lambda each: type(each).__name__)
def test_it_is_set_aside_and_everything_else_is_as_before(key: bytes | None, record: Any, reason: str) -> None:
    worker, calm = a_worker(), a_worker()
    worker.append(key, record, HEADERS)
    for each in (worker, calm):
        each.send(ANOTHER)
        each.pass_time(START_MS + DAY_MS)
    assert list(reasons(worker)) == [reason]
    assert dict(worker.overlays[0].store.items()) == dict(calm.overlays[0].store.items())


def test_what_is_said_of_a_wrong_key_has_no_address_not_even_half_of_one() -> None:
    worker = a_worker()
    for key in (b"x:bob@x.de", b"x:a.very.long.name.of.somebody@x.de", b"x:" + b"a" * 35 + b" bob@x.de"):
        worker.append(key, an_order(START_MS, user="1"), HEADERS)
    worker.commit()
    found = [letter.detail for letter in letters(worker)]
    assert len(found) == 3
    assert not any("bob" in detail or "somebody" in detail for detail in found)


BROKEN = [
    (b"not json", "cuts"),
    (b"{}", "cuts"),
    (msgspec.json.encode(msgspec.structs.replace(CUTS, recency_ms=(1, 2, 3, FAR_MS))), "cuts"),
    (msgspec.json.encode(msgspec.structs.replace(CUTS, frequency=(-1, 2, 3, 4))), "cuts"),
    (msgspec.json.encode(msgspec.structs.replace(CUTS, version="v" * 600)), "cuts"),
    (msgspec.json.encode(msgspec.structs.replace(CLUSTERS, centres=())), "clusters"),
    (msgspec.json.encode(msgspec.structs.replace(CLUSTERS, scale=(0.0,) * 5)), "clusters"),
    (msgspec.json.encode(msgspec.structs.replace(CLUSTERS, mean=(0.0,))), "clusters"),
    (msgspec.json.encode(msgspec.structs.replace(CLUSTERS, numbers=())), "clusters"),
]


@pytest.mark.parametrize(("body", "kind"), BROKEN)
def test_a_model_that_cannot_be_used_does_not_take_effect(body: bytes, kind: str) -> None:
    worker = a_worker()
    worker.append(None, ModelChunk(kind, "v", 0, 1, "json", body))
    worker.append(None, ModelTick(START_MS, 1_000, (TickedModel(kind, "", "v"),)))
    worker.send(an_order(START_MS + 2, user="1"))
    worker.commit()
    assert list(reasons(worker)) == ["bad_model"]


def test_models_of_insights_take_effect() -> None:
    worker = a_worker()
    worker.append(None, a_chunk(CUTS))
    worker.append(None, a_chunk(CLUSTERS, "clusters"))
    worker.append(None, ModelTick(START_MS, 1_000, (TickedModel("cuts", "", "v"), TickedModel("clusters", "", "v"))))
    worker.send(an_order(START_MS + 2, user="1"))
    worker.commit()
    assert list(reasons(worker)) == []
    known = worker.known()
    assert (known.cuts, known.clusters) == (CUTS, CLUSTERS)


def test_pieces_without_end_do_not_swell_the_state() -> None:
    worker = a_worker()
    for number in range(100):
        worker.append(None, chunk(version=f"flood {number}", body=b"x" * (MODEL_BYTES_MAX - number)))
    worker.commit()
    assert max(len(value or b"") for _, value in worker.changelog) < MODELS_BYTES_MAX + 10_000
    assert set(reasons(worker)) == {"too_large"}


def test_wakes_and_marks_that_nobody_asked_for_change_nothing() -> None:
    worker, calm = a_worker(), a_worker()
    for number in range(50):
        worker.append(None, Wake(number))
        worker.append(None, SetAside(number, "forged"))
    worker.commit()
    calm.commit()
    assert list(reasons(worker)) == []
    assert dict(worker.overlays[0].store.items()) == dict(calm.overlays[0].store.items())


@pytest.mark.parametrize("headers", [(("received_at_ms", b"x" * 100),), (("received_at_ms", b""),), ()])
def test_a_touchpoint_without_a_receive_time_does_not_raise(headers: tuple[tuple[str, bytes], ...]) -> None:
    worker = a_worker()
    worker.append(b"u:1", an_order(START_MS + 2, user="1"), headers)
    worker.commit()
    assert RAISED not in reasons(worker)


def reasons(worker: MemoryWorker) -> Iterator[str]:
    for letter in letters(worker):
        yield letter.reason


def letters(worker: MemoryWorker) -> Iterator[DeadLetter]:
    for output in worker.outputs:
        if output.topic.endswith("dead-letters"):
            yield SINGLE_OBJECT.decode_as(DeadLetter, output.value or b"")
