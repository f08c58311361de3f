"""What the suppression list says of an address, in any order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest

from streams.profiles.listings import entries_of, listed, stopped, united_listings
from streams.profiles.profile import Profile
from streams.profiles.statement import Listing, Mailbox

LATER = 1 << 40


def an_entry(time_ms: int, *, is_all: bool = False, is_on: bool = True, why: str = "asked") -> Listing:
    return Listing(is_all, is_on, time_ms, "Kim", why)


def test_the_last_entry_of_each_scope_holds_whatever_order_they_come_in() -> None:
    off = entries_of(is_on=False, is_all=True, time_ms=5, who="Lee", why="over")
    entries = (an_entry(3), an_entry(7, is_all=True), an_entry(4), *off)
    found = {united_listings(order) for order in permutations(entries)}
    assert found == {(Listing(is_all=False, is_on=False, time_ms=5, who="Lee", why="over"), an_entry(7, is_all=True))}


def test_at_one_time_what_stops_messages_holds() -> None:
    both = (an_entry(5), an_entry(5, is_on=False))
    assert united_listings(both) == united_listings(reversed(both)) == (an_entry(5),)


@pytest.mark.parametrize(("is_all", "is_promotional", "stops"), [(0, 1, 1), (0, 0, 0), (1, 1, 1), (1, 0, 1)])
def test_a_list_for_promotions_leaves_order_mail_alone(is_all: int, is_promotional: int, stops: int) -> None:
    box = Mailbox("aa", listed=(an_entry(5, is_all=bool(is_all)),))
    assert (listed(box, LATER, is_promotional=bool(is_promotional)) is not None) == bool(stops)
    assert listed(box, 5, is_promotional=bool(is_promotional)) is None


def test_the_reason_is_one_sentence() -> None:
    box = Mailbox("aa", listed=(an_entry(60_000, why="asked by phone. "),))
    said = "Kim put the address on the suppression list on 1970-01-01 00:01 UTC: asked by phone."
    assert listed(box, LATER, is_promotional=True) == said
    nameless = Mailbox("aa", listed=(Listing(is_all=False, is_on=True, time_ms=60_000, who="", why=""),))
    said = "somebody put the address on the suppression list on 1970-01-01 00:01 UTC: no reason is known."
    assert listed(nameless, LATER, is_promotional=True) == said


def test_only_the_address_itself_is_stopped() -> None:
    profile = Profile(mailboxes=(Mailbox("aa", listed=(an_entry(5, is_all=True),)), Mailbox("bb")))
    assert stopped(profile, "aa", LATER) is not None
    assert [stopped(profile, address, LATER) for address in ("bb", "cc", None)] == [None, None, None]
