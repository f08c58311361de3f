"""Who asks to be forgotten gets no promotion any more, and nobody at the addresses that they had does.

Erasure itself does not exist yet, and that is said. Records of different ids and addresses overtake each other here,
and users are merged in any order. The outcome is that of people who always had one id.
"""

from __future__ import annotations

from collections import Counter
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent
from tests.support.flows import a_bare_flow
from tests.support.interleaved import Interleaved
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import asked
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

pytestmark = pytest.mark.acceptance

SEED = SystemRandom().randrange(1 << 32)
USERS, ADDRESSES = ("1", "2", "3", "4"), ("a" * 64, "b" * 64, "c" * 64)
NEWS = a_bare_flow(
    "news",
    "product_viewed",
    channels=["email", "sms", "push"],
    caps={"per_channel_hours": 0, "per_week": 100},
    exits=[],
    steps=[{"name": "message", "do": "trigger", "offer": "save_5"}],
)
THANKS = a_bare_flow("thanks", "order_completed", **{"class": "transactional"}, products="order")
GIVEN: dict[str, Any] = {"consent_default": "granted", "flows": (NEWS, THANKS)}
LATER_MS = START_MS + 30 * DAY_MS


def events_of(chance: Random) -> list[Touchpoint]:
    """Returns what some ids say and do in turn."""
    events, now_ms = [], START_MS
    for _ in range(chance.randrange(6, 20)):
        now_ms += chance.randrange(1, 9) * HOUR_MS
        user, address = chance.choice(USERS), chance.choice(ADDRESSES)
        kind = chance.choice(("grant", "page_viewed", "page_viewed", "erasure_requested", "late"))
        if kind == "grant":
            consent = Consent("all", granted=True)
            events.append(a_touchpoint("consent_changed", now_ms, user, consent=consent, email_hash=address))
        elif kind == "late":
            # it happened before the others, and may name an address that was theirs when they asked
            events.append(a_touchpoint("page_viewed", now_ms - 20 * HOUR_MS, user, email_hash=address))
        else:
            named = address if chance.random() < 0.5 else None
            events.append(a_touchpoint(kind, now_ms, user, email_hash=named))
    return events


def merged(events: list[Touchpoint], chance: Random) -> tuple[list[Touchpoint], dict[str, str]]:
    """Returns the events with links of users among them, and the survivor of each."""
    everything, survivor = list(events), {user: user for user in USERS}
    for _ in range(chance.randrange(3)):
        user, other = chance.sample(USERS, 2)
        both = {survivor[user], survivor[other]}
        survivor = {each: min(both) if of in both else of for each, of in survivor.items()}
        link = a_touchpoint("identity_linked", LATER_MS - DAY_MS, user, properties={"previous_id": other})
        everything.insert(chance.randrange(len(everything) + 1), link)
    # a link waits until both are known
    everything += [a_touchpoint("page_viewed", LATER_MS - HOUR_MS, user) for user in USERS]
    return everything, survivor


def suppressed_in(world: World) -> tuple[dict[str, tuple[int, int]], set[str]]:
    """Returns when users asked, and the addresses which somebody who asked had then."""
    users = {user: profile.erasure_asked for user in USERS if (profile := world.profile(f"u:{user}")) is not None}
    boxes = [box for address in ADDRESSES if (entry := world.profile(f"e:{address}")) for box in entry.mailboxes]
    asked_by = {user: asked_ms for user, asked_ms in users.items() if asked_ms is not None}
    return asked_by, {box.address for box in boxes if box.erased_ms}


def check(chance: Random) -> Counter[str]:
    """Plays one history in two ways, and then lets everybody look at an article and order."""
    events = events_of(chance)
    everything, survivor = merged(events, chance)
    lived, calm = Interleaved(chance, **GIVEN), World(**GIVEN)
    lived.send(*everything)
    lived.fold()
    assert lived.dead_letters == []
    for event in events:
        calm.send(replace(event, user_id=survivor[event.user_id or ""]))
    users, addresses = suppressed_in(lived.world)
    assert (users, addresses) == suppressed_in(calm), everything
    before = len(lived.world.outputs)
    for number, address in enumerate(ADDRESSES):
        for user in sorted(set(survivor.values())):
            at_ms = LATER_MS + number * DAY_MS
            lived.send(a_touchpoint("consent_changed", at_ms, user, consent=Consent("all", granted=True)))
            lived.send(a_touchpoint("product_viewed", at_ms + HOUR_MS, user, email_hash=address))
            lived.send(an_order(at_ms + 2 * HOUR_MS, user=user))
    lived.fold()
    lived.world.pass_time(LATER_MS + 5 * DAY_MS)
    outputs = [record for _, record in lived.world.outputs[before:]]
    found: Counter[str] = Counter()
    for sent in outputs:
        if isinstance(sent, Trigger) and sent.flow_id == "news":
            assert sent.customer.removeprefix("u:") not in users
            assert sent.channel != "email" or sent.email_hash not in addresses
            found["news"] += 1
        found["thanks"] += isinstance(sent, Trigger) and sent.flow_id == "thanks"
        if isinstance(sent, Decision) and sent.outcome == "suppressed":
            assert "asked to be forgotten" in sent.reason
            assert "Nothing was erased yet." in sent.reason
            found["suppressed"] += 1
    assert found["thanks"] == len(ADDRESSES) * len(set(survivor.values()))
    return found


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_whoever_asked_gets_no_promotion_however_ids_and_records_meet(count: int) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown when it fails
    found: Counter[str] = Counter()
    for number in range(count):
        found += check(Random(f"{SEED} {number}"))
    assert min(found["news"], found["suppressed"]) > count


def test_what_is_on_the_way_is_taken_back() -> None:
    world = World(consent_default="granted", flows=({**NEWS, "send_time": "best"},))
    world.pass_time(START_MS)
    world.send(a_touchpoint("product_viewed", START_MS + HOUR_MS))
    world.pass_time(START_MS + 2 * HOUR_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms > START_MS + 3 * HOUR_MS
    world.send(a_touchpoint("erasure_requested", START_MS + 3 * HOUR_MS))
    assert [each.trigger_id for each in world.emitted(Revocation)] == [trigger.trigger_id]


def test_it_is_said_in_the_log_and_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    given = configured(clock="marks", touchpoint_partitions=1, journal_partitions=2, **GIVEN)
    worker = MemoryWorker(given)
    worker.send(a_touchpoint("product_viewed", START_MS, "ada", email_hash=ADDRESSES[0]))
    worker.send(a_touchpoint("erasure_requested", START_MS + 1, "ada"))
    with capture_logs() as logged:
        worker.commit()
    (line,) = [each for each in logged if "asked to be forgotten" in each["event"]]
    assert (line["log_level"], line["requests"]) == ("warning", 1)
    assert "nothing was erased yet" in line["event"]
    assert "ada" not in str(line)
    asked_on = "The customer asked to be forgotten on 2026-01-01 00:00 UTC."
    said = f"{asked_on} They get no more promotions. Nothing was erased yet."
    assert said in asked(monkeypatch, worker, "explain", "ada").stdout
    consent = asked(monkeypatch, worker, "consent", "ada").stdout
    assert said in consent
    assert "email promotional to aaaaaaaa...: no. The customer asked to be forgotten" in consent
    worker.send(an_add(START_MS + 2, user="bob"))
    worker.commit()
    assert "forgotten" not in asked(monkeypatch, worker, "explain", "bob").stdout
