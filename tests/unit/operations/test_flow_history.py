"""A customer's history in a flow, in sentences."""

from __future__ import annotations

from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.operations.flow_history import flow_story
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

STEPS = [
    {"name": "reminder", "do": "trigger"},
    {"name": "a_day", "do": "wait", "for": "22h"},
    {"name": "second", "do": "trigger"},
]
WHY = "The message was due 2h after product_added, and nothing had ended the flow; articles in the cart: 1."
EXPIRY = "2026-01-02 02:00 UTC"
QUIET = {"from": "00:00", "to": "08:00"}


def a_world(**changes: object) -> World:
    return World(flows=[a_flow(steps=STEPS, **changes)])


def story(world: World, flow_id: str = "abandoned_cart") -> list[str]:
    return list(flow_story(flow_id, world.emitted(Decision, "u:1"), world.emitted(Trigger, "u:1")))


def test_the_history_goes_from_the_entry_to_the_present_place() -> None:
    world = a_world()
    world.send(an_add(START_MS))
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert story(world) == [
        (
            "2026-01-01 00:00 UTC  v1 entered: reminder is due 2026-01-01 02:00 UTC. "
            "product_added started the flow for this customer."
        ),
        f"2026-01-01 02:00 UTC  v1 reminder was sent. {WHY} By email, from 2026-01-01 02:00 UTC to {EXPIRY}: 1 x mug.",
        "2026-01-01 02:00 UTC  v1 continued with a_day. After the step reminder the customer goes on to a_day.",
        "Messages sent: 1; now they are waiting for a_day.",
    ]


def test_an_order_ends_the_history() -> None:
    world = a_world()
    world.send(an_add(START_MS), an_order(START_MS + HOUR_MS))
    assert story(world)[1:] == [
        "2026-01-01 01:00 UTC  v1 left before reminder. order_completed ended the flow for this customer.",
        "Messages sent: 0; now they are not in this flow.",
    ]


def test_a_message_that_waits_and_one_that_may_not_go_have_their_reasons() -> None:
    world = a_world(quiet_hours=QUIET)
    world.send(an_add(START_MS))
    world.pass_time(START_MS + 9 * HOUR_MS)
    world.send(a_touchpoint("consent_changed", START_MS + 10 * HOUR_MS, consent=Consent("email", granted=False)))
    world.pass_time(START_MS + 3 * DAY_MS)
    said = story(world)
    assert said[1] == (
        "2026-01-01 02:00 UTC  v1 reminder waits until 2026-01-01 08:00 UTC. "
        "The message waits until 08:00 local time, when quiet hours end."
    )
    assert said[-2] == (
        "2026-01-02 06:00 UTC  v1 second was not sent: no consent. "
        "There is no consent from the customer to messages by email, so none was sent."
    )
    assert said[-1] == "Messages sent: 1; now they are not in this flow."


def test_a_customer_who_was_never_in_the_flow_has_no_history() -> None:
    world = a_world()
    world.send(an_add(START_MS))
    assert story(world, "welcome") == []


def test_a_shop_that_is_too_young_is_said_with_its_age() -> None:
    world = World(flows=[a_flow(needs={"history": "30d"})])
    world.begin(START_MS - 3 * DAY_MS)
    world.send(an_add(START_MS))
    assert story(world) == [
        (
            "2026-01-01 00:00 UTC  v1 did not enter. The flow needs a history of 30d, but the shop's is 3d long, so no "
            "message was sent."
        ),
        "Messages sent: 0; now they are not in this flow.",
    ]
