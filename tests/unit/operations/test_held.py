"""What workers hold of a key is read from the changelog."""

from __future__ import annotations

from streams.operations.held import held_profile, held_profiles, survivor_of
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import OpenedPrefix
from tests.support.world import START_MS, a_touchpoint

ADDRESS = "ab" * 32


def a_prefix() -> OpenedPrefix:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=2))
    worker.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=ADDRESS))
    worker.send(a_touchpoint("page_viewed", START_MS, "2"))
    linked = a_touchpoint("identity_linked", START_MS + 1, "1", properties={"previous_id": "2"})
    worker.send(linked)
    worker.commit()
    return OpenedPrefix(worker)


def test_the_last_state_of_a_key_is_found_in_its_partition() -> None:
    prefix = a_prefix()
    profile = held_profile(prefix, "u:1")  # type: ignore[arg-type]
    assert profile is not None
    assert profile.email_hash == ADDRESS
    assert held_profile(prefix, "u:9") is None  # type: ignore[arg-type]


def test_keys_of_one_kind_come_with_their_profiles() -> None:
    prefix = a_prefix()
    found = dict(held_profiles(prefix, "e:"))  # type: ignore[arg-type]
    assert list(found) == [f"e:{ADDRESS}"]
    assert found[f"e:{ADDRESS}"].linked == ("u:1",)
    assert {key for key, _ in held_profiles(prefix, "u:")} == {"u:1", "u:2"}  # type: ignore[arg-type]
    assert [key for key, _ in held_profiles(prefix, "u:", ["u:2", "u:9"])] == ["u:2"]  # type: ignore[arg-type]


def test_a_merged_customer_leads_to_the_survivor() -> None:
    prefix = a_prefix()
    assert survivor_of(prefix, "u:2")[0] == "u:1"  # type: ignore[arg-type]
    assert survivor_of(prefix, "u:9") == ("u:9", None)  # type: ignore[arg-type]
