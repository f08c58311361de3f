"""Users who are merged in any order are known by what they said and did, as if they had had one id from the start.

Records overtake each other on the way between ids and addresses. At the end nothing may be allowed or proven for an
address that is not in the history of one id. The other way round is safe, and rare.
"""

from __future__ import annotations

from collections import Counter
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec.structs import replace

from schemas.touchpoint import Consent, Touchpoint
from streams.flows.language.validity import NEVER_MS
from streams.profiles.mailboxes import Sending, mailbox, suppressed
from streams.profiles.standing import statements_about
from streams.profiles.statements import standing_of
from tests.support.interleaved import Interleaved
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

pytestmark = pytest.mark.acceptance

SEED = SystemRandom().randrange(1 << 32)
USERS, ADDRESSES = ("1", "2", "3"), ("a" * 64, "b" * 64)
GIVEN: dict[str, Any] = {"consent_default": "denied"}


class Answer(NamedTuple):
    """What is known of a profile and an address."""

    is_granted: bool
    is_good: bool
    """Whether nothing suppresses the address."""


def events_of(chance: Random) -> list[Touchpoint]:
    """Returns what three ids say and do in turn, each with an address."""
    events, now_ms = [], START_MS
    for _ in range(chance.randrange(6, 20)):
        now_ms += chance.randrange(1, 9) * HOUR_MS
        user, address = chance.choice(USERS), chance.choice(ADDRESSES)
        kind = chance.choice(("grant", "grant", "withdraw", "complain", "email_bounced", "order", "page_viewed"))
        if kind in {"grant", "withdraw"}:
            consent = Consent("email", granted=kind == "grant")
            events.append(a_touchpoint("consent_changed", now_ms, user, consent=consent, email_hash=address))
        elif kind == "complain":
            fields: dict[str, Any] = {"email_hash": address, "properties": {"complaint": "1"}}
            events.append(a_touchpoint("email_unsubscribed", now_ms, user, **fields))
        elif kind == "order":
            events.append(an_order(now_ms, user=user, email_hash=address))
        else:
            events.append(a_touchpoint(kind, now_ms, user, email_hash=address))
    return events


def answer(profile: Profile | None, address: str, now_ms: int, world: World) -> Answer | None:
    if profile is None or mailbox(profile, address) is None:
        return None
    standing = standing_of(statements_about(profile, "email", "promotional", address), default=False)
    granted = standing.statement if standing.is_allowed else None
    sending = Sending(address, now_ms, NEVER_MS, granted.time_ms if granted is not None else 0)
    return Answer(standing.is_allowed, suppressed(profile, sending, world.settings) is None)


def check(chance: Random) -> Counter[str]:
    """Plays one history in two ways, and counts how the answers differ."""
    events = events_of(chance)
    everything, survivor = list(events), {user: user for user in USERS}
    for _ in range(chance.randrange(1, 4)):
        user, other = chance.sample(USERS, 2)
        both = {survivor[user], survivor[other]}
        survivor = {each: min(both) if of in both else of for each, of in survivor.items()}
        at_ms = START_MS + chance.randrange(100) * HOUR_MS
        link = a_touchpoint("identity_linked", at_ms, user, properties={"previous_id": other})
        everything.insert(chance.randrange(len(everything) + 1), link)
    lived, calm = Interleaved(chance, **GIVEN), World(**GIVEN)
    lived.send(*everything)
    lived.fold()
    assert lived.dead_letters == []
    for event in events:
        calm.send(replace(event, user_id=survivor[event.user_id or ""]))
    now_ms = START_MS + 20 * DAY_MS
    found: Counter[str] = Counter()
    for user in sorted(set(survivor.values())):
        for address in ADDRESSES:
            here = answer(lived.world.profile(f"u:{user}"), address, now_ms, lived.world)
            there = answer(calm.profile(f"u:{user}"), address, now_ms, calm)
            if here is not None and there is not None:
                assert here.is_granted <= there.is_granted, (user, address[0], everything)
                assert here.is_good <= there.is_good, (user, address[0], everything)
                found["same" if here == there else "stricter"] += 1
    return found


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_nothing_is_allowed_that_one_id_would_not_be_allowed(count: int) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown when it fails
    found: Counter[str] = Counter()
    for number in range(count):
        found += check(Random(f"{SEED} {number}"))
    assert found["same"] > 50 * found["stricter"]
