"""Which local state is used, which is rebuilt, and which changelog is refused."""

from __future__ import annotations

import pytest

from streams.engine.errors import ChangelogLost
from streams.engine.local_state import Changelog, Held, Origin, Use, use_of

NOW = Origin("source-1", "changelog-1")
UNKNOWN = Origin("", "")


def held(position: int = 10, origin: Origin = NOW, *, is_old: bool = False) -> Held:
    return Held(position, origin, is_old)


def a_changelog(low: int = 0, high: int = 20, origin: Origin = NOW) -> Changelog:
    return Changelog("shop.profiles-changelog-0", low, high, origin)


@pytest.mark.parametrize("position", [-1, 0, 10, 20])
@pytest.mark.parametrize("origin", [NOW, UNKNOWN])
def test_state_within_a_whole_changelog_is_continued(position: int, origin: Origin) -> None:
    assert use_of(held(position, origin), a_changelog()) is Use.CONTINUE


def test_state_of_an_earlier_release_or_of_brokers_without_ids_is_continued() -> None:
    assert use_of(held(origin=UNKNOWN), a_changelog()) is Use.CONTINUE
    assert use_of(held(), a_changelog(origin=UNKNOWN)) is Use.CONTINUE


def test_old_state_is_rebuilt_as_it_may_lack_deletions() -> None:
    assert use_of(held(is_old=True), a_changelog()) is Use.REBUILD


def test_state_of_topics_that_were_all_made_again_is_set_aside() -> None:
    made_again = Origin("source-2", "changelog-2")
    for position in (10, 20, 30):
        assert use_of(held(position), a_changelog(origin=made_again)) is Use.SET_ASIDE


@pytest.mark.parametrize("position", [-1, 0, 4, 5, 10, 20])
@pytest.mark.parametrize("is_old", [False, True])
def test_a_changelog_without_its_first_records_is_refused_whatever_state_there_is(
    position: int,
    is_old: bool,  # noqa: FBT001 - a case
) -> None:
    with pytest.raises(ChangelogLost, match=r"shop\.profiles-changelog-0 begins at offset 5 instead of 0"):
        use_of(held(position, is_old=is_old), a_changelog(low=5))


def test_a_changelog_that_was_emptied_is_refused() -> None:
    with pytest.raises(ChangelogLost, match="begins at offset 20"):
        use_of(held(), a_changelog(low=20, high=20))


@pytest.mark.parametrize("is_old", [False, True])
def test_a_changelog_that_ends_before_the_state_is_refused(is_old: bool) -> None:  # noqa: FBT001 - a case
    with pytest.raises(ChangelogLost, match="ends at 9, but the local state has come to 10"):
        use_of(held(is_old=is_old), a_changelog(high=9))


@pytest.mark.parametrize("high", [0, 9, 10, 500])
def test_a_changelog_that_was_made_again_is_refused_however_long_it_is(high: int) -> None:
    with pytest.raises(ChangelogLost, match="was deleted and made again, and its input was not"):
        use_of(held(), a_changelog(high=high, origin=Origin("source-1", "changelog-2")))


def test_a_changelog_whose_input_was_made_again_is_refused() -> None:
    with pytest.raises(ChangelogLost, match="its input was deleted and made again"):
        use_of(held(), a_changelog(origin=Origin("source-2", "changelog-1")))


@pytest.mark.parametrize("origin", [NOW, UNKNOWN])
def test_an_origin_is_read_as_it_was_written(origin: Origin) -> None:
    assert Origin.read(origin.text) == origin


def test_a_store_that_keeps_none_has_an_unknown_origin() -> None:
    assert Origin.read("") == UNKNOWN
