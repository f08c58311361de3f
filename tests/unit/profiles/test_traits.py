"""Traits: the last by event time, and what stays as it was the first time, in any order and by any way of merging."""

from __future__ import annotations

from functools import reduce
from random import Random, randrange
from typing import TYPE_CHECKING, NamedTuple

import pytest

from schemas.attribute_limits import ATTRIBUTE_NAME_MAX, FIRST_BYTES_MAX, TRAIT_BYTES_MAX, TRAITS_MAX
from streams.profiles.attributes import NONE, Attributes, First
from streams.profiles.profile import Touch
from streams.profiles.traits import trait, united, with_channel, with_channels, with_country, with_signup, with_traits
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Sequence


class Said(NamedTuple):
    """What one touchpoint says of a customer."""

    time_ms: int
    traits: dict[str, str]
    channel: str
    source: str
    country: str


def heard(known: Attributes | None, said: Said) -> Attributes | None:
    known = with_traits(known, said.traits, said.time_ms)
    known = with_channel(known, said.channel, said.time_ms)
    known = with_signup(known, said.source, said.time_ms)
    return with_country(known, said.country, said.time_ms)


def all_of(many: Sequence[Said]) -> Attributes | None:
    return reduce(heard, many, None)


def test_the_last_by_event_time_holds_whatever_comes_in_last() -> None:
    known = with_traits(with_traits(None, {"plan": "gold"}, START_MS + 1), {"plan": "free", "points": "5"}, START_MS)
    assert known == Attributes({"plan": "gold", "points": "5"}, (START_MS + 1, START_MS))
    assert (trait(known, "plan"), trait(known, "points"), trait(known, "tags"), trait(None, "plan")) == (
        "gold",
        "5",
        None,
        None,
    )


def test_what_was_taken_away_does_not_come_back_with_what_is_older() -> None:
    gone = with_traits(with_traits(None, {"plan": "gold"}, START_MS), {"plan": ""}, START_MS + 2)
    assert trait(gone, "plan") is None
    assert with_traits(gone, {"plan": "silver"}, START_MS + 1) is gone
    assert trait(with_traits(gone, {"plan": "silver"}, START_MS + 3), "plan") == "silver"


def test_what_stays_is_the_first_by_event_time() -> None:
    known = with_channel(with_channel(None, "email", START_MS + 1), "ads", START_MS)
    assert known == Attributes(channel=First(START_MS, "ads"))
    assert with_channel(known, "sms", START_MS + 2) is known
    assert with_channel(known, "", 0) is known
    assert with_channel(known, "x" * (FIRST_BYTES_MAX + 1), 0) is known


def test_of_the_first_touches_of_one_time_the_ids_do_not_decide() -> None:
    named = [("search", 1), ("ads", 2), ("email", 3)]
    touches = tuple([Touch(START_MS, number, channel, None, 0, is_view=False) for channel, number in named])
    later = Touch(START_MS + 1, 4, "a later one", None, 0, is_view=False)
    found = with_channels(None, (*touches, later))
    one_by_one: Attributes | None = NONE
    for touch in touches:
        one_by_one = with_channel(one_by_one, touch.channel, touch.time_ms)
    assert found == one_by_one
    assert found is not None
    assert found.channel == First(START_MS, "ads")
    assert with_channels(found, touches) is found


def test_what_is_too_long_is_left_out_also_where_hiding_made_it_so() -> None:
    long = {"plan": "x" * (TRAIT_BYTES_MAX + 1), "n" * (ATTRIBUTE_NAME_MAX + 1): "1"}
    assert with_traits(None, long, START_MS) is None


def test_of_more_than_fit_the_last_stay() -> None:
    known = None
    for number in range(TRAITS_MAX + 5):
        known = with_traits(known, {f"t{number:02}": "1"}, START_MS + number)
    assert known is not None
    assert list(known.texts) == [f"t{number:02}" for number in range(5, TRAITS_MAX + 5)]


@pytest.mark.parametrize("seed", [1, 2, 3, pytest.param(randrange(1 << 32), id="any")])
def test_orders_of_arrival_and_ways_of_merging_agree(seed: int) -> None:
    print("seed", seed)  # noqa: T201 - shown on failure
    random = Random(seed)
    for _ in range(60):
        # few times and texts, so that ties are frequent; more names than are kept
        many = [
            Said(
                START_MS + random.randrange(30),
                {f"t{random.randrange(60)}": random.choice(("", "a", "b")) for _ in range(random.randrange(4))},
                random.choice(("", "ads", "email")),
                random.choice(("", "web", "app")),
                random.choice(("DE", "NO")),
            )
            for _ in range(random.randrange(2, 90))
        ]
        whole = all_of(many)
        shuffled = random.sample(many, len(many))
        assert all_of(shuffled) == whole
        cuts = sorted(random.randrange(len(many) + 1) for _ in range(3))
        parts = [all_of(shuffled[a:b]) for a, b in zip([0, *cuts], [*cuts, len(many)], strict=True)]
        left = reduce(united, parts)
        right = united(parts[0], united(parts[1], united(parts[2], parts[3])))
        assert left == right == whole == reduce(united, reversed(parts))
        assert united(whole, whole) == whole


def test_what_is_only_said_again_leaves_the_texts_the_same_object() -> None:
    known = with_traits(None, {"plan": "gold"}, START_MS)
    again = with_traits(known, {"plan": "gold"}, START_MS + 1)
    assert known is not None
    assert again is not None
    assert again.times == (START_MS + 1,)
    assert again.texts is known.texts
