"""What is kept of a merge fits beside the mark of it, under a key of its own, for 30 days."""

from __future__ import annotations

import msgspec

from schemas.limits import KEY_BYTES_MAX
from streams.fold.keeping import UNDO_DAYS, kept_key, kept_profile, without_kept
from streams.fold.moment import FoldMoment
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.effects import Effects
from streams.profiles.keys import KEPT, KEPT_ABSORBED
from streams.profiles.profile import SEEN_MAX, Profile
from tests.support.world import DAY_MS, START_MS, World


def a_moment(world: World) -> FoldMoment:
    return FoldMoment("u:2", START_MS, "link", world.fold.known(), Effects())


def test_it_is_kept_from_the_later_of_both_clocks_on() -> None:
    world = World()
    assert kept_profile(Profile(rules=4), a_moment(world)).expires_ms == START_MS + UNDO_DAYS * DAY_MS
    world.pass_time(START_MS + DAY_MS)
    assert kept_profile(Profile(rules=4), a_moment(world)).expires_ms == START_MS + (UNDO_DAYS + 1) * DAY_MS


def test_with_its_mark_it_has_no_more_bytes_than_the_profile_had() -> None:
    full = tuple((day, b"x" * 8 * (SEEN_MAX // 8)) for day in range(8))
    profile = Profile(seen=full, rules=4, clock_ms=1 << 62, wake_ms=1 << 62)
    kept = kept_profile(profile, a_moment(World()))
    marked = msgspec.structs.replace(kept, linked=("u:" + "x" * (KEY_BYTES_MAX - 2),), clock_ms=1 << 62)
    assert decode_profile(kept.kept) == msgspec.structs.replace(profile, seen=(), wake_ms=0)
    assert len(encode_profile(marked)) < len(encode_profile(profile))


def test_its_keys_are_short_and_those_of_one_merge_and_one_part_of_it() -> None:
    keys = {
        kept_key(kind, one, other)
        for kind in (KEPT, KEPT_ABSORBED)
        for one in ("u:1", "u:2")
        for other in ("u:3", "u:4")
    }
    assert len(keys) == 8
    assert len(kept_key(KEPT, "u:" + "x" * 500, "u:" + "y" * 500)) == 34


def test_afterwards_the_mark_stays_alone_and_nothing_of_the_survivor() -> None:
    kept = kept_profile(Profile(rules=4), a_moment(World()))
    marked = without_kept(msgspec.structs.replace(kept, linked=("u:1",)))
    assert marked is not None
    assert (marked.linked, marked.kept, marked.expires_ms) == (("u:1",), b"", 0)
    assert without_kept(kept) is None
