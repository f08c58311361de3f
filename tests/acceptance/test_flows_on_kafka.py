"""The ten flows of the product, published together on a real Kafka: each on its own stories, to the millisecond."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.insights import Facts
from schemas.outputs import Decision, Trigger
from schemas.units import DAY_MS
from streams.flows.language.assignment import arm_of
from streams.flows.language.files import LIBRARY
from streams.flows.language.flow_set import compile_flows
from streams.offline.stories import read_stories, story_files, touchpoints
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source
from tests.support.flows import TEN
from tests.support.running import Place, a_worker, make_place, play
from tests.support.world import a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow import Flow
    from streams.offline.stories import Expected, Stories

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(300)]

DOCUMENTS = [{**flow, "holdout_percent": 0} for flow in TEN]
FLOWS = compile_flows(DOCUMENTS).flows
HISTORY_MS = 92 * DAY_MS
"""Before the first story: half a year before any message to customers who are lost."""
FILES = {file.name.removesuffix(".yaml"): read_stories(file) for file in story_files(LIBRARY)}


class Sent(NamedTuple):
    """A message; times in ms."""

    customer: str
    due_ms: int
    step: str


class Told(NamedTuple):
    """A story with customers of its own."""

    events: list[Touchpoint]
    expected: list[tuple[Sent, Expected]]


def zone_of(stories: Stories) -> ZoneInfo:
    return ZoneInfo(str(stories.settings.get("reporting_time_zone", "UTC")))


def namesake(flow: Flow, number: int, user: str) -> str:
    """A customer of this story alone, in the same arm of the flow as the one whom it names."""
    names = (f"{flow.id}/{number}/{user}{suffix}" for suffix in count())
    return next(name for name in names if arm_of(flow, f"u:{name}") == arm_of(flow, f"u:{user}"))


def told(flow_id: str) -> Iterator[Told]:
    """The stories of a flow, and what it sends in them; what other flows send here depends on which are published."""
    stories, flow = FILES[flow_id], FLOWS[flow_id]
    zone = zone_of(stories)
    for number, story in enumerate(stories.stories):
        if story.shop_since is not None:
            continue  # all are told in one shop, whose history begins long before
        events = [
            msgspec.structs.replace(
                event,
                event_id=f"{flow_id}/{number}/{event.event_id}",
                user_id=namesake(flow, number, event.user_id or ""),
                order=event.order
                and msgspec.structs.replace(event.order, order_id=f"{flow_id}/{number}/{event.order.order_id}"),
                time_zone=event.time_zone or zone.key,
            )
            for event in touchpoints(story, zone, flow_id)
        ]
        messages = [message for message in story.expect if message.flow == flow_id]
        users = [namesake(flow, number, (message.customer or "u:1").removeprefix("u:")) for message in messages]
        due_ms = [round(message.at.replace(tzinfo=zone).timestamp() * 1000) for message in messages]
        sent = [Sent(f"u:{user}", at_ms, each.step) for user, at_ms, each in zip(users, due_ms, messages, strict=True)]
        yield Told(events, list(zip(sent, messages, strict=True)))


@pytest.fixture(scope="module")
def place(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All ten published, and all their stories told in one run."""
    folder = tmp_path_factory.mktemp("ten-flows")
    settings: dict[str, Any] = {}
    for file in FILES.values():
        settings |= file.settings
    place = make_place(kafka, folder.name, folder, flows=DOCUMENTS, **settings)
    stories = [story for flow_id in FLOWS for story in told(flow_id)]
    events = sorted((event for story in stories for event in story.events), key=lambda event: event.time_ms)
    events.insert(0, a_touchpoint("page_viewed", events[0].time_ms - HISTORY_MS, "the-first-of-all"))
    last_ms = max(sent.due_ms for story in stories for sent, _ in story.expected)
    drain_ms = last_ms - events[-1].time_ms + DAY_MS
    with a_worker(place):
        play(place, Source("stories", [MappedTouchpoint(event, 1) for event in events]), drain_ms=drain_ms)
    return place


def test_ten_flows_come_with_the_product() -> None:
    assert len(FLOWS) == 10
    assert FILES.keys() == FLOWS.keys()


@pytest.mark.parametrize("flow_id", FLOWS)
def test_each_flow_sends_what_its_stories_tell_to_the_millisecond(place: Place, flow_id: str) -> None:
    stories = list(told(flow_id))
    own = {event.user_id for story in stories for event in story.events}
    triggers = [each for each in place.records("triggers", Trigger) if each.flow_id == flow_id and each.user_id in own]
    came = {Sent(each.customer, each.due_ms, each.step): each for each in triggers}
    assert len(came) == len(triggers)
    expected = {sent: message for story in stories for sent, message in story.expected}
    assert sorted(came) == sorted(expected)
    assert expected
    for sent, message in expected.items():
        trigger = came[sent]
        assert (trigger.decided_ms < trigger.due_ms) is (FLOWS[flow_id].send_time == "best")
        assert trigger.decided_ms <= trigger.due_ms < trigger.expires_ms
        assert message.channel in {None, trigger.channel}
        assert message.products in {None, tuple(item.sku for item in trigger.products)}


def test_every_message_has_a_receipt_and_every_candidate_one_final_word_at_most(place: Place) -> None:
    decisions = place.records("decisions", Decision)
    sent = [each for each in decisions if each.outcome == "sent"]
    assert len(sent) == len(place.records("triggers", Trigger))
    final = [each.candidate_id for each in decisions if each.final]
    assert len(set(final)) == len(final)
    assert set(final) <= {each.candidate_id for each in decisions if each.outcome in {"entered", "too_old", "cold"}}
    counted = Counter[str]()
    for facts in place.records("facts", Facts):
        counted.update({each.name: each.value for each in facts.counts if not each.hour_ms and not each.by})
    assert counted["candidates_unaccounted"] == 0
    assert counted["decisions_open"] == len({each.candidate_id for each in decisions}) - len(final)
