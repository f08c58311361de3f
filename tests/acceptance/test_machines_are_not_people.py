"""Machines are not people: how many are told apart, and that nothing a machine did shows in what is computed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from xxhash import xxh3_64_intdigest

from schemas.outputs import Decision, Trigger
from schemas.touchpoint import PERSON, PREFETCH, SCANNER, Message
from streams.collect.agents import Agents, agent_of, known_agents
from tests.support.flows import TEN
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

pytestmark = pytest.mark.acceptance

_SYSTEM: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_LOOKS: Final = (
    ("email_opened", PREFETCH),
    ("email_clicked", SCANNER),
    ("page_viewed", SCANNER),
    ("ad_clicked", SCANNER),
)
_FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "agents"


def is_judged(pattern: str) -> bool:
    """The split, made before there was any rule: half of the list by the hash of the pattern."""
    return xxh3_64_intdigest(pattern.encode()) % 2 == 1


def people() -> list[str]:
    lines = (_FIXTURES / "people.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def kept_out(agents: list[str], rules: Agents) -> float:
    """The share of user agents that count as machines."""
    return sum(rules.of(each) != PERSON for each in agents) / len(agents)


def test_who_is_told_apart_by_patterns_of_the_first_half() -> None:
    """Patterns and words come from the first half of the list, which is judged by the other one."""
    patterns = [each["pattern"] for each in CRAWLER_USER_AGENTS_DATA]
    judged = [agent for each in CRAWLER_USER_AGENTS_DATA if is_judged(each["pattern"]) for agent in each["instances"]]
    first = Agents([pattern for pattern in patterns if not is_judged(pattern)])
    machines, persons = kept_out(judged, first), kept_out(people(), first)
    whole, persons_whole = kept_out(judged, known_agents()), kept_out(people(), known_agents())
    told = f"{machines:.2%} of {len(judged)} judged machines and {persons:.2%} of {len(people())} people are kept out"
    sys.stdout.write(f"\n{told}\nwith the whole list, as at the door: {whole:.2%} and {persons_whole:.2%}\n")
    assert len(judged) > 900
    assert len(people()) > 100
    assert machines >= 0.95
    assert whole >= 0.99
    assert persons <= 0.01
    assert persons_whole <= 0.01


@pytest.mark.parametrize(
    ("user_agent", "purposes"),
    [
        ("Mozilla/5.0", ()),
        (people()[-2], ("prefetch",)),
        (people()[-2], ("prefetch;prerender",)),
        (people()[-2], ("prefetch;anonymous-client-ip",)),
        (people()[-2], ("preview",)),
        (
            f"{_SYSTEM} Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
            (),
        ),
    ],
)
def test_all_that_is_flagged_is_kept_out(user_agent: str, purposes: tuple[str, ...]) -> None:
    assert agent_of(user_agent, purposes) == PREFETCH


def test_with_machines_everything_comes_out_as_without() -> None:
    """A week with ten flows: each message is opened by a program and clicked by another one, and pages are crawled."""
    calm, loud = World(flows=TEN, unanswered_max=3), World(flows=TEN, unanswered_max=3)
    told: dict[str, int] = {}
    for day in range(60):
        for user in ("1", "2", "3"):
            now_ms = START_MS + day * DAY_MS + int(user) * HOUR_MS
            for world in (calm, loud):
                world.pass_time(now_ms)
                if day % 20 == 0:
                    order = f"order-{user}-{day}"
                    world.send(an_order(now_ms, user=user, order_id=order, event_id=order, email_hash=user * 64))
                elif day % 7 == 3:
                    world.send(an_add(now_ms, user=user, event_id=f"add-{user}-{day}"))
                elif day % 11 == 5:
                    world.send(a_touchpoint("email_opened", now_ms, user, event_id=f"open-{user}-{day}", agent=PERSON))
            for number, (kind, agent) in enumerate(
                (
                    ("email_opened", PREFETCH),
                    ("email_clicked", SCANNER),
                    ("page_viewed", SCANNER),
                    ("ad_clicked", SCANNER),
                )
            ):
                message = Message(message_id="m", flow_id="welcome", arm="treatment")
                fields = {
                    "agent": agent,
                    "message": message,
                    "session_id": f"s{day}",
                    "event_id": f"m{user}{day}{number}",
                }
                loud.send(a_touchpoint(kind, now_ms + number, user, **fields))
                told[kind] = told.get(kind, 0) + 1
    for world in (calm, loud):
        world.pass_time(START_MS + 90 * DAY_MS)
    assert len(loud.emitted(Trigger)) > 10
    assert loud.emitted(Trigger) == calm.emitted(Trigger)
    assert loud.emitted(Decision) == calm.emitted(Decision)
    machines = {"machine_opens", "machine_clicks", "machine_views", "folded"}
    assert {key: n for key, n in loud.counts.items() if key[0] not in machines} == {
        key: n for key, n in calm.counts.items() if key[0] not in machines
    }
    assert loud.total("machine_opens") == told["email_opened"]
    assert loud.total("machine_clicks") == told["email_clicked"] + told["ad_clicked"]
    assert loud.total("machine_views") == told["page_viewed"]
