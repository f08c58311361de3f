"""Rows of credit after an undo: none is written that need not be, and what the survivor had is reversed."""

from __future__ import annotations

from schemas.outputs import Credit
from streams.attribution.dividing import absorbed_credit, survivors_credit
from streams.profiles.dividing import OrdersOf
from streams.profiles.effects import Effects, hash_64
from streams.profiles.moment import Moment
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import COMPLETED
from streams.profiles.profile import Conversion, Profile, Touch
from streams.profiles.sides import Sides
from tests.support.world import START_MS, World

ORDER = hash_64("o")
HISTORY = (OrderChange(START_MS, 0, ORDER, 4_200, COMPLETED, ""),)
THEIRS = {ORDER: OrdersOf(HISTORY, (), HISTORY)}
TOUCH = Touch(START_MS - 1, 5, "ads", None, 0, is_view=False)


def a_conversion(*path: Touch, revision: int = 0) -> Conversion:
    return Conversion("o", START_MS, 4_200, "EUR", path, revision)


def a_moment() -> Moment:
    return Moment("u:1", START_MS, "undo", World().settings, Effects())


def sides(now: Conversion, absorbed: Conversion) -> Sides:
    after = Profile(conversions=(now,), rules=4)
    return Sides(after, Profile(rules=4), after, Profile(conversions=(absorbed,), rules=4), "u:2", after)


def rows(at: Moment) -> list[tuple[str, str, int]]:
    records = [record for _, record in at.effects.outputs if isinstance(record, Credit) and record.model == "linear"]
    return [(row.kind, row.channel, row.amount_minor) for row in records]


def test_rows_that_are_as_the_other_left_them_are_not_touched() -> None:
    at, given = a_moment(), sides(a_conversion(), a_conversion())
    assert survivors_credit(given.now, given, THEIRS, at).conversions == ()
    assert rows(at) == []
    assert absorbed_credit(given.absorbed, given, THEIRS, at).conversions == (a_conversion(),)


def test_rows_that_the_merge_wrote_are_reversed_and_those_of_the_other_are_to_be_written() -> None:
    at, given = a_moment(), sides(a_conversion(TOUCH, revision=1), a_conversion())
    (left,) = survivors_credit(given.now, given, THEIRS, at).conversions
    assert left.value_minor == 0
    assert rows(at) == [("reversal", "ads", -4_200)]
    theirs = absorbed_credit(given.absorbed, given, THEIRS, at)
    (item,) = theirs.uncredited
    assert [each.value_minor for each in item.written] == [0]
    assert theirs.conversions[0].revision > 1


def test_a_touch_of_the_other_leaves_the_path_of_the_survivors_order() -> None:
    at, own = a_moment(), a_conversion()
    now = Profile(conversions=(a_conversion(TOUCH, revision=1),), touches=(TOUCH,), rules=4)
    given = Sides(now, Profile(conversions=(own,), rules=4), now, Profile(touches=(TOUCH,), rules=4), "u:2", now)
    (left,) = survivors_credit(Profile(rules=4), given, {}, at).conversions
    assert left.path == ()
    assert rows(at) == [("reversal", "ads", -4_200), ("credit", "direct", 4_200)]


def test_a_conversion_that_the_survivor_holds_no_longer_is_not_taken_up_again() -> None:
    empty = Profile(rules=4)
    given = Sides(empty, empty, empty, Profile(conversions=(a_conversion(),)), "u:2", empty)
    assert absorbed_credit(given.absorbed, given, THEIRS, a_moment()).conversions == ()
