"""Who gets what a shared device does, when people log in and out there."""

from __future__ import annotations

from typing import Any

from schemas.journal import Link, Unlink
from schemas.outputs import ProfileMerged, ProfileView, Trigger
from schemas.touchpoint import PREVIOUS_ID
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add

UNLINKED = "identity_unlinked"
TABLET = "shop-tablet"


def cart_of(world: World, key: str) -> list[str]:
    profile = world.profile(key)
    return [] if profile is None or profile.cart is None else [item.sku for item in profile.cart.items]


def a_world_with_a_login(**settings: Any) -> World:
    world = World(**settings)
    world.send(a_touchpoint("page_viewed", START_MS, "A", anonymous_id=TABLET, session_id="s1"))
    return world


def seen(world: World, at_ms: int, sku: str) -> None:
    """An article that somebody puts into the cart of the tablet without a name."""
    world.send(an_add(at_ms, sku, user=None, anonymous_id=TABLET, session_id="s2"))


def test_what_a_device_does_after_a_logout_is_nobodys() -> None:
    world = a_world_with_a_login(flows=[a_flow()])
    seen(world, START_MS + 1, "before")
    world.send(a_touchpoint(UNLINKED, START_MS + HOUR_MS, "A", anonymous_id=TABLET))
    seen(world, START_MS + 2 * HOUR_MS, "gift")
    world.pass_time(START_MS + DAY_MS)
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == (["before"], ["gift"])
    assert {(one.customer, one.products[0].sku) for one in world.emitted(Trigger)} <= {("u:A", "before")}


def test_a_logout_that_names_only_the_device_frees_it_too() -> None:
    world = a_world_with_a_login()
    world.send(a_touchpoint(UNLINKED, START_MS + HOUR_MS, None, anonymous_id=TABLET))
    seen(world, START_MS + 2 * HOUR_MS, "gift")
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == ([], ["gift"])
    assert world.emitted(ProfileView, "u:A")[-1].devices == ()


def test_a_logout_alone_makes_no_customer_of_a_device() -> None:
    world = a_world_with_a_login()
    event = a_touchpoint(UNLINKED, START_MS + HOUR_MS, None, anonymous_id=TABLET)
    world.send(event, event)
    assert world.total("customers_known") == 1
    assert (world.total("folded"), world.total("duplicates")) == (2, 1)
    assert not world.emitted(ProfileView, f"a:{TABLET}")


def test_a_device_belongs_to_the_next_who_logs_in_and_takes_along_what_it_did_since() -> None:
    world = a_world_with_a_login()
    world.send(a_touchpoint(UNLINKED, START_MS + HOUR_MS, "A", anonymous_id=TABLET))
    seen(world, START_MS + 2 * HOUR_MS, "gift")
    world.send(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS, "B", anonymous_id=TABLET, session_id="s2"))
    seen(world, START_MS + 4 * HOUR_MS, "more")
    assert (cart_of(world, "u:A"), cart_of(world, "u:B")) == ([], ["gift", "more"])


def test_the_same_person_may_log_in_again_in_the_same_visit() -> None:
    for user in ("A", None):
        world = a_world_with_a_login()
        world.send(a_touchpoint(UNLINKED, START_MS + 1, user, anonymous_id=TABLET, session_id="s1"))
        world.send(a_touchpoint("page_viewed", START_MS + 2, "A", anonymous_id=TABLET, session_id="s1"))
        seen(world, START_MS + 3, "gift")
        assert cart_of(world, "u:A") == ["gift"]


def test_a_late_logout_does_not_free_a_device_that_has_another_user_since() -> None:
    world = a_world_with_a_login()
    world.send(a_touchpoint("page_viewed", START_MS + 2, "B", anonymous_id=TABLET))
    world.send(a_touchpoint(UNLINKED, START_MS + 1, "A", anonymous_id=TABLET))
    seen(world, START_MS + 3, "gift")
    assert cart_of(world, "u:B") == ["gift"]


def test_a_link_from_before_the_logout_does_not_tie_the_device_again() -> None:
    world = World()
    seen(world, START_MS, "before")
    world.send(a_touchpoint(UNLINKED, START_MS + HOUR_MS, None, anonymous_id=TABLET))
    world.append(f"a:{TABLET}", Link("u:A", START_MS + 1, "overtaken"))
    seen(world, START_MS + 2 * HOUR_MS, "gift")
    # nothing came in between, so all of it was of the time before the logout
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == (["before"], ["gift"])
    world.append(f"a:{TABLET}", Link("u:B", START_MS + 2, "overtaken too"))
    assert (cart_of(world, "u:B"), cart_of(world, f"a:{TABLET}")) == ([], ["gift"])


def test_a_late_link_hands_over_nothing_that_came_after_the_first_logout_after_it() -> None:
    """A stranger used the tablet between two logouts, and it does not matter when the link comes in."""
    logout, link = a_touchpoint(UNLINKED, START_MS + 10, None, anonymous_id=TABLET), Link("u:A", START_MS + 9, "late")
    for is_late in (True, False):
        world = World()
        if not is_late:
            world.append(f"a:{TABLET}", link)
        world.send(logout)
        seen(world, START_MS + 15, "of a stranger")
        world.send(a_touchpoint(UNLINKED, START_MS + 20, None, anonymous_id=TABLET))
        if is_late:
            world.append(f"a:{TABLET}", link)
        assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == ([], ["of a stranger"])


def test_a_late_link_hands_over_what_came_before_two_logouts_with_nothing_in_between() -> None:
    world = World()
    seen(world, START_MS + 8, "before")
    for at_ms in (START_MS + 10, START_MS + 20):
        world.send(a_touchpoint(UNLINKED, at_ms, None, anonymous_id=TABLET))
    world.append(f"a:{TABLET}", Link("u:A", START_MS + 9, "late"))
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == (["before"], [])


def test_a_late_link_between_two_logouts_hands_over_what_came_in_between() -> None:
    world = World()
    for at_ms in (START_MS + 10, START_MS + 20):
        world.send(a_touchpoint(UNLINKED, at_ms, None, anonymous_id=TABLET))
        if at_ms == START_MS + 10:
            seen(world, START_MS + 15, "of B")
    world.append(f"a:{TABLET}", Link("u:B", START_MS + 12, "late"))
    assert (cart_of(world, "u:B"), cart_of(world, f"a:{TABLET}")) == (["of B"], [])


def a_shared_tablet() -> World:
    """Six people have logged in there, and somebody has filled the cart since."""
    world = World()
    for number in range(6):
        world.send(a_touchpoint("page_viewed", START_MS + number, f"u{number}", anonymous_id=TABLET))
    seen(world, START_MS + HOUR_MS, "of a stranger")
    return world


def test_what_a_shared_device_holds_stays_when_a_link_comes_in_after_a_logout() -> None:
    world = a_shared_tablet()
    world.send(a_touchpoint(UNLINKED, START_MS + 2 * HOUR_MS, None, anonymous_id=TABLET))
    world.append(f"a:{TABLET}", Link("u:7", START_MS + HOUR_MS + 1, "late"))
    assert (cart_of(world, "u:7"), cart_of(world, f"a:{TABLET}")) == ([], ["of a stranger"])


def test_a_shared_device_stays_shared_when_two_of_its_users_are_merged() -> None:
    world = a_shared_tablet()
    link = a_touchpoint("identity_linked", START_MS + 2 * HOUR_MS, "u0", properties={PREVIOUS_ID: "u1"})
    world.send(link)
    seen(world, START_MS + 3 * HOUR_MS, "more")
    assert cart_of(world, f"a:{TABLET}") == ["of a stranger", "more"]
    world.send(a_touchpoint("page_viewed", START_MS + 4 * HOUR_MS, "u5", anonymous_id=TABLET, session_id="s9"))
    assert [cart_of(world, f"u:u{number}") for number in range(6)] == [[]] * 6
    assert len(world.emitted(ProfileMerged)) == 1


ADDRESSES = [f"{number:064x}" for number in range(60)]


def typed(world: World, at_ms: int) -> None:
    """Guests who type an address at the tablet, one after the other."""
    for number, address in enumerate(ADDRESSES):
        page = a_touchpoint("page_viewed", at_ms + number, None, anonymous_id=TABLET, email_hash=address)
        world.send(page)


def test_a_shared_device_stays_shared_whatever_addresses_guests_type_there() -> None:
    world = a_shared_tablet()
    typed(world, START_MS + 2 * HOUR_MS)
    seen(world, START_MS + 3 * HOUR_MS, "more")
    assert cart_of(world, f"a:{TABLET}") == ["of a stranger", "more"]
    assert [cart_of(world, f"u:u{number}") for number in range(6)] == [[]] * 6


def test_a_device_knows_of_the_logout_whatever_addresses_guests_type_there() -> None:
    world = a_world_with_a_login()
    world.send(a_touchpoint(UNLINKED, START_MS + HOUR_MS, "A", anonymous_id=TABLET))
    typed(world, START_MS + 2 * HOUR_MS)
    world.append(f"a:{TABLET}", Link("u:A", START_MS + 1, "of the visit before the logout"))
    seen(world, START_MS + 3 * HOUR_MS, "of a stranger")
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == ([], ["of a stranger"])


def test_a_logout_is_no_link() -> None:
    world = World()
    seen(world, START_MS, "gift")
    world.send(a_touchpoint(UNLINKED, START_MS + 1, "A", anonymous_id=TABLET))
    assert (cart_of(world, "u:A"), cart_of(world, f"a:{TABLET}")) == ([], ["gift"])


def test_by_rules_3_a_logout_is_as_any_event_with_both_ids() -> None:
    world = World(rules=3)
    world.send(a_touchpoint(UNLINKED, START_MS, "A", anonymous_id=TABLET))
    world.append(f"a:{TABLET}", Unlink("u:A", START_MS + 1, "foreign"))
    seen(world, START_MS + 2, "gift")
    assert cart_of(world, "u:A") == ["gift"]
