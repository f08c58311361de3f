"""Stored bytes of every version that ever wrote a profile are read; those of a later one are refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas.journal import Absorbed
from state.codec import NewerState, frame, open_frame
from streams.fold.moment import Rejected
from streams.profiles.codec import BEFORE_RULES, VERSION, decode_profile, encode_profile
from streams.profiles.effects import hash_64
from streams.profiles.profile import (
    EMPTY,
    Session,
)
from tests.support.stored import (
    BY_VERSION_1,
    BY_VERSION_2,
    BY_VERSION_3,
    BY_VERSION_4,
    BY_VERSION_5,
    BY_VERSION_6,
    BY_VERSION_7,
    a_full_profile,
    a_profile_before_rules,
    a_profile_of_rules_2,
    a_profile_of_rules_3,
)
from tests.support.world import HOUR_MS, START_MS, World


def test_a_profile_of_version_1_is_read_with_its_last_visit() -> None:
    profile = decode_profile(BY_VERSION_1)
    assert profile.sessions == (Session(profile.clock_ms, hash_64("s2"), profile.clock_ms),)
    assert [order.time_ms for order in profile.orders] == [START_MS + HOUR_MS]
    assert (profile.linked, profile.user_id, profile.parked) == (("u:1",), "7", ("slot",))
    assert [touch.session_hash for touch in profile.touches] == [hash_64("s1")]
    assert [conversion.order_id for conversion in profile.conversions] == ["o1"]
    assert (profile.cart, profile.runs[0].step, profile.consents[0].granted) == (None, "wait", False)
    assert profile.wake_ms == profile.slot_ms > 0
    stored = encode_profile(profile)
    assert stored[0] == BEFORE_RULES
    assert decode_profile(stored) == profile


def test_a_profile_of_version_2_is_read() -> None:
    """It knew no time zone and no earlier entries, and of a candidate nothing since it entered."""
    full = a_profile_before_rules()
    (run,) = full.runs
    known = msgspec.structs.replace(run, last_entry_ms=0, goal_ms=0, products=(), held_ms=0)
    expected = msgspec.structs.replace(
        full,
        runs=(known,),
        time_zone=None,
        entries=(),
        prices=(),
        hours=(),
        answered=(),
        pending=(),
        entry_timers=(),
        views=(),
    )
    assert decode_profile(BY_VERSION_2) == expected


def test_a_profile_of_version_3_is_read() -> None:
    """No flow was entered by a date or counted views."""
    assert decode_profile(BY_VERSION_3) == msgspec.structs.replace(a_profile_before_rules(), entry_timers=(), views=())


def test_a_profile_of_version_4_is_read() -> None:
    assert decode_profile(BY_VERSION_4) == a_profile_before_rules()


def test_a_profile_of_version_5_is_read() -> None:
    """No refund named its order, and a cart did not know when its articles were put in."""
    assert decode_profile(BY_VERSION_5) == a_profile_of_rules_2()


def test_a_profile_of_version_6_is_read() -> None:
    """No statement named a purpose or an address, and an order had no entry."""
    assert decode_profile(BY_VERSION_6) == a_profile_of_rules_3()


def test_a_profile_of_version_7_is_read() -> None:
    assert decode_profile(BY_VERSION_7) == a_full_profile()


def test_a_profile_of_rules_3_is_stored_as_its_release_wrote_it() -> None:
    assert encode_profile(a_profile_of_rules_3()).hex() == BY_VERSION_6.hex()


def test_a_profile_of_rules_2_is_stored_as_its_release_wrote_it() -> None:
    assert encode_profile(a_profile_of_rules_2()).hex() == BY_VERSION_5.hex()


def test_a_profile_of_rules_1_is_stored_so_that_release_0_1_reads_it() -> None:
    assert encode_profile(a_profile_before_rules()).hex() == BY_VERSION_4.hex()


def test_a_change_of_how_profiles_are_stored_raises_the_version() -> None:
    """If this fails: raise VERSION, upgrade from the bytes above, and add those of the new version to them."""
    full = a_full_profile()
    assert [name for name in full.__struct_fields__ if getattr(full, name) == getattr(EMPTY, name)] == []
    assert encode_profile(full).hex() == BY_VERSION_7.hex()


def test_a_profile_that_an_earlier_release_sent_to_a_user_is_taken_in() -> None:
    world = World()
    world.append("u:7", Absorbed(source="a:phone", profile=BY_VERSION_1, time_ms=START_MS))
    profile = world.profile("u:7")
    assert profile is not None
    assert [order.time_ms for order in profile.orders] == [START_MS + HOUR_MS]


@pytest.mark.parametrize("version", [VERSION + 1, 255])
def test_a_profile_of_a_later_release_is_refused_with_both_versions(version: int) -> None:
    _, due_ms, payload = open_frame(BY_VERSION_3)
    later = frame(version, due_ms, payload + b"\x00")
    with pytest.raises(NewerState, match=rf"a profile of version {version} .* reads up to {VERSION}$"):
        decode_profile(later)
    world = World()
    # no release writes it before the rules rise, which stops workers of earlier releases first
    with pytest.raises(Rejected, match="bad_profile"):
        world.append("u:7", Absorbed(source="a:phone", profile=later, time_ms=START_MS))
