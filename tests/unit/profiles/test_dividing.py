"""Whose an order is after an undo, and what of a survivor holds for both."""

from __future__ import annotations

from msgspec.structs import replace

from streams.profiles.dividing import OrdersOf, absorbed_of, divided_orders, shared_of, survivor_of
from streams.profiles.entered import Entered
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import COMPLETED, REFUNDED
from streams.profiles.profile import PlacedOrder, Profile, Sent
from streams.profiles.sides import Sides
from streams.profiles.statement import ConsentState

COMPLETION = OrderChange(1, 0, 7, 500, COMPLETED, "")
REFUND = OrderChange(2, 3, 7, 100, REFUNDED, "")
PLACED = PlacedOrder(1, 500, 0, 7)
REFUNDED_ORDER = PlacedOrder(1, 500, 100, 7)


def a_profile(*orders: PlacedOrder, changes: tuple[OrderChange, ...] = ()) -> Profile:
    return Profile(orders=orders, changes=changes, rules=4)


def sides(now: Profile, before: Profile, merged: Profile, absorbed: Profile) -> Sides:
    return Sides(now, before, merged, absorbed, "u:2", merged)


def test_an_order_goes_back_with_what_is_known_of_it_now() -> None:
    now = a_profile(REFUNDED_ORDER, changes=(COMPLETION, REFUND))
    given = sides(now, a_profile(), a_profile(PLACED), a_profile(PLACED))
    orders = divided_orders(given)
    assert orders == {7: OrdersOf((COMPLETION, REFUND), (), (COMPLETION, REFUND))}
    assert survivor_of(given, orders).orders == ()
    assert absorbed_of(given, orders).orders == (REFUNDED_ORDER,)


def test_an_order_of_both_stays_with_the_survivor_as_does_one_that_was_only_completed_since() -> None:
    of_both = sides(a_profile(PLACED), a_profile(PLACED), a_profile(PLACED), a_profile(PLACED))
    assert divided_orders(of_both)[7].absorbed == ()
    assert absorbed_of(of_both, divided_orders(of_both)).orders == ()
    only_refunded = a_profile(changes=(REFUND,))
    since = sides(a_profile(REFUNDED_ORDER, changes=(COMPLETION, REFUND)), a_profile(), only_refunded, only_refunded)
    assert survivor_of(since, divided_orders(since)).orders == (REFUNDED_ORDER,)


def test_an_order_that_went_to_another_owner_since_is_nobodys_here() -> None:
    given = sides(a_profile(), a_profile(), a_profile(PLACED), a_profile(PLACED))
    assert divided_orders(given) == {7: OrdersOf((), (), ())}
    assert absorbed_of(given, divided_orders(given)).orders == ()


def test_messages_entries_and_withdrawals_are_of_both_and_grants_are_not() -> None:
    own, later = Sent(1, "email", "f", is_promotional=True), Sent(5, "email", "f", is_promotional=True)
    grant, withdrawal = ConsentState("push", granted=True, time_ms=1), ConsentState("sms", granted=False, time_ms=1)
    theirs = Profile(messages=(own,), consents=(grant, withdrawal), entries=(Entered("f", 1),), rules=4)
    now = Profile(
        messages=(own, later), consents=(grant, withdrawal), entries=(Entered("f", 5),), unanswered=(2, 5), rules=4
    )
    given = sides(now, Profile(rules=4), theirs, theirs)
    survivor, absorbed = survivor_of(given, {}), absorbed_of(given, {})
    for each in (survivor, absorbed):
        assert (each.messages, each.entries, each.unanswered) == (now.messages, now.entries, now.unanswered)
    assert survivor.consents == (withdrawal,)
    assert absorbed.consents == (grant, withdrawal)
    assert shared_of(given) == {"messages": 1}


def test_who_asked_to_be_forgotten_has_asked_for_both_and_the_country_goes_back() -> None:
    theirs = Profile(country=("DE", 1))
    now = replace(theirs, erasure_asked=(5, 6))
    given = sides(now, Profile(country=("AT", 0)), theirs, theirs)
    survivor, absorbed = survivor_of(given, {}), absorbed_of(given, {})
    assert (survivor.erasure_asked, absorbed.erasure_asked) == ((5, 6), (5, 6))
    assert (survivor.country, absorbed.country) == (("AT", 0), ("DE", 1))


def test_keys_that_came_with_the_other_go_and_those_since_stay() -> None:
    merged = Profile(linked=("a:one", "a:two", "u:2"))
    now = Profile(linked=("a:one", "a:two", "u:2", "a:new", "w:0:u:9"))
    given = sides(now, Profile(linked=("a:one",)), merged, Profile(linked=("a:two",)))
    assert survivor_of(given, {}).linked == ("a:one", "a:new", "w:0:u:9")


def test_of_two_grants_of_one_time_each_has_their_own() -> None:
    own, theirs = (ConsentState("email", granted=True, time_ms=1, address=address) for address in ("a", "b"))
    one, other, both = (Profile(consents=said, rules=4) for said in ((own,), (theirs,), (own, theirs)))
    assert survivor_of(sides(both, one, both, other), {}).consents == (own,)
    # what named no address has been given that of the other user since
    late, open_ = Profile(consents=(theirs,), rules=4), ConsentState("email", granted=True, time_ms=1)
    came = Profile(consents=(open_,), rules=4)
    assert survivor_of(sides(late, Profile(rules=4), came, came), {}).consents == ()


def test_of_two_grants_of_one_millisecond_since_each_has_that_of_their_own_event() -> None:
    """As they came in since, the survivor had neither before the merge."""
    for address in ("", "a"):
        own, theirs = (
            ConsentState("all", granted=True, time_ms=1, received_ms=1, address=address, event_hash=event_hash)
            for event_hash in (1, 2)
        )
        other = Profile(consents=(theirs,), rules=4)
        given = sides(Profile(consents=(own, theirs), rules=4), Profile(rules=4), other, other)
        assert survivor_of(given, {}).consents == (own,)
        assert absorbed_of(given, {}).consents == (theirs,)
