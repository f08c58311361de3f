"""What machines open, click and look at is counted as theirs, and nothing else comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import RULES, RULES_3
from schemas.touchpoint import CUSTOM, PERSON, PREFETCH, SCANNER, Message
from streams.fold.machines import FACTS, machine_fact
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

KINDS = sorted(FACTS)
ADDRESS = "ab" * 32


def looked(kind: str, agent: str | None, hour: int = 1, user_id: str | None = "1", **fields: Any) -> Any:
    fields = {"email_hash": ADDRESS, "session_id": "s1", "channel": "email", "country": "FR", **fields}
    message = Message(message_id="m1", flow_id="welcome")
    return a_touchpoint(kind, START_MS + hour * HOUR_MS, user_id, agent=agent, message=message, **fields)


def a_customer() -> World:
    world = World()
    world.send(an_order(START_MS))
    return world


@pytest.mark.parametrize("agent", [PREFETCH, SCANNER])
@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_is_the_same_but_for_what_it_has_seen(kind: str, agent: str) -> None:
    world, calm = a_customer(), a_customer()
    before = world.profile("u:1")
    emitted = len(world.outputs)
    world.send(looked(kind, agent))
    after = world.profile("u:1")
    assert before is not None
    assert after is not None
    assert after.seen != before.seen
    told = {"seen": (), "clock_ms": 0, "wake_ms": 0}
    assert _without(after, told) == _without(before, told)
    assert len(world.outputs) == emitted
    new = world.counts - calm.counts
    assert {name for name, _, _ in new} == {"folded", FACTS[kind]}
    assert world.total(FACTS[kind]) == 1


def _without(profile: Any, told: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in profile.__struct_fields__ if name not in told}


@pytest.mark.parametrize("agent", [PERSON, None])
def test_what_a_person_opens_counts_as_theirs(agent: str | None) -> None:
    world = a_customer()
    world.send(looked("email_opened", agent))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.answered == (("email", START_MS + HOUR_MS),)
    assert profile.touches
    assert world.total("machine_opens") == 0


def test_a_repeat_of_a_known_customer_counts_once() -> None:
    world = a_customer()
    world.send(looked("email_opened", PREFETCH, event_id="e1"), looked("email_opened", PREFETCH, event_id="e1"))
    assert world.total("machine_opens") == 1
    assert world.total("duplicates") == 1


def test_a_crawler_becomes_no_customer() -> None:
    world = World()
    world.send(looked("page_viewed", SCANNER, user_id=None, anonymous_id="bot", email_hash=None))
    assert world.profile("a:bot") is None
    assert world.total("machine_views") == 1
    assert world.total("views") == 0
    assert world.total("sessions") == 0


def test_what_is_done_on_purpose_counts_whoever_sent_it() -> None:
    world = a_customer()
    world.send(an_order(START_MS + DAY_MS, agent=SCANNER))
    world.send(a_touchpoint("email_unsubscribed", START_MS + DAY_MS, "1", email_hash=ADDRESS, agent=SCANNER))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.orders) == 2
    assert any(not each.granted for each in profile.consents)
    assert machine_fact(a_touchpoint("product_added", START_MS, "1", agent=SCANNER), RULES) is None


def test_an_event_of_the_shops_own_is_kept_out_as_well() -> None:
    assert (
        machine_fact(a_touchpoint(CUSTOM, START_MS, "1", name="List Viewed", agent=SCANNER), RULES) == "machine_views"
    )


def test_journals_of_earlier_rules_count_them_as_they_did() -> None:
    world = World(rules=RULES_3)
    world.send(looked("email_opened", PREFETCH))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.answered
    assert world.total("machine_opens") == 0


def test_a_timer_that_is_due_fires_before_a_machine_looks() -> None:
    """The clock goes on with machines too, so that what was due is not decided later than without them."""
    world, calm = a_customer(), a_customer()
    world.send(looked("email_opened", PREFETCH, hour=24 * 60))
    calm.pass_time(START_MS + 60 * DAY_MS)
    with_machine, without = world.profile("u:1"), calm.profile("u:1")
    assert with_machine is not None
    assert without is not None
    assert with_machine.slot_ms == without.slot_ms
