"""Each list of a survivor after an undo: what the merge made goes back, what came or changed or went since stays."""

from __future__ import annotations

from typing import Any

from streams.profiles.profile import TOUCHES_MAX, Cart, CartItem, OrderMonth, Profile, Session, Touch
from streams.profiles.sides import (
    Sides,
    divided_cart,
    divided_days,
    divided_hours,
    divided_lists,
    divided_mailboxes,
    divided_months,
    divided_value,
)
from streams.profiles.statement import Mailbox


def a_touch(number: int) -> Touch:
    return Touch(number, number, "ads", None, number, is_view=False)


def touches(*numbers: int) -> Profile:
    return Profile(touches=tuple([a_touch(number) for number in numbers]))


def a_cart(opened_ms: int = 1, **quantities: int) -> Cart:
    items = tuple([CartItem(sku, 900, quantity) for sku, quantity in quantities.items()])
    return Cart(opened_ms, 9, items, tuple([((5, item.quantity),) for item in items]))


def sides(now: Profile, before: Profile, merged: Profile, absorbed: Profile) -> Sides:
    return Sides(now, before, merged, absorbed, "u:2", merged)


def test_a_value_goes_back_unless_it_changed_since() -> None:
    zones: list[Any] = [Profile(time_zone=name) for name in ("Europe/Oslo", "Asia/Tokyo", None)]
    assert divided_value(sides(zones[0], zones[2], zones[0], zones[0]), "time_zone") is None
    assert divided_value(sides(zones[1], zones[2], zones[0], zones[0]), "time_zone") == "Asia/Tokyo"


def test_items_that_came_with_the_other_go_and_those_that_went_since_stay_away() -> None:
    found = divided_lists(sides(touches(1, 3, 4, 6), touches(1, 2), touches(1, 2, 3, 4), touches(3, 4)))
    assert found["touches"] == (a_touch(1), a_touch(6))


def test_an_item_that_the_merge_left_out_or_a_full_ring_lost_is_there_again() -> None:
    left_out = divided_lists(sides(touches(3), touches(4), touches(3), touches(3)))
    assert left_out["touches"] == (a_touch(4),)
    full = range(10, 10 + TOUCHES_MAX)
    lost = divided_lists(sides(touches(*full), touches(1), touches(1, 2), touches(2)))
    assert lost["touches"] == (a_touch(1), *[a_touch(number) for number in full])


def test_a_visit_of_the_other_alone_goes_though_it_ordered_since() -> None:
    merged, now = (
        Profile(sessions=(Session(1, 1), Session(2, 2))),
        Profile(sessions=(Session(1, 1, 7), Session(2, 2, 8))),
    )
    found = divided_lists(sides(now, Profile(sessions=(Session(1, 1),)), merged, Profile(sessions=(Session(2, 2),))))
    assert found["sessions"] == (Session(1, 1, 7),)


def test_counts_are_differences_and_never_below_0() -> None:
    days = [Profile(answers=answers) for answers in (((1, 5), (2, 1)), ((1, 1),), ((1, 3), (0, 4)), ((1, 2), (0, 4)))]
    assert divided_days(sides(*days)) == ((1, 3), (2, 1))
    hours = [Profile(hours=(count,) * 24) for count in (4, 1, 3, 2)]
    assert divided_hours(sides(*hours)) == (2,) * 24
    assert divided_hours(sides(Profile(), *hours[1:])) == ()
    months = [Profile(months=(OrderMonth(9, count, count * 100),)) for count in (7, 2, 5, 3)]
    assert divided_months(sides(*months)) == (OrderMonth(9, 4, 400),)


def test_a_cart_keeps_its_articles_and_what_changed_since() -> None:
    before, other, merged = a_cart(2, mug=1), a_cart(1, cup=2), a_cart(1, mug=1, cup=2)
    given = [Profile(cart=cart) for cart in (before, merged, other)]
    assert divided_cart(sides(Profile(cart=merged), *given)) == before
    assert divided_cart(sides(Profile(), *given)) is None
    more = a_cart(1, mug=1, cup=2, tea=1)
    assert divided_cart(sides(Profile(cart=more), *given)) == a_cart(2, mug=1, tea=1)
    assert divided_cart(sides(Profile(cart=a_cart(1, cup=3)), *given)) == a_cart(2, cup=3)


def test_an_address_of_the_other_stays_only_if_it_was_named_since() -> None:
    def boxes(*known: Mailbox) -> Profile:
        return Profile(mailboxes=known)

    own, theirs = Mailbox("a", 1, 2, is_own=True), Mailbox("b", 1, 2, is_own=True)
    came_back = Mailbox("b", 1, 2, is_own=True, hard_ms=9)
    named = Mailbox("b", 1, 8, is_own=True)
    for now, wanted in ((theirs, ()), (came_back, ()), (named, (Mailbox("b", 8, 8, is_own=True),))):
        found = divided_mailboxes(sides(boxes(own, now), boxes(own), boxes(own, theirs), boxes(theirs)))
        assert found == (own, *wanted)
