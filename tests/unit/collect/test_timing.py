"""Clicks that no person can have made, told from the times of one document."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import PERSON, PREFETCH, SCANNER, Message
from streams.collect.arrived import Arrived
from streams.collect.timing import by_program, clicked_by_programs, is_at_once
from tests.support.world import START_MS, a_touchpoint

ADDRESS = "ab" * 32


def came(kind: str, after_ms: int, event_id: str, **fields: Any) -> Arrived:
    fields = {"message": Message(message_id="m1"), "email_hash": ADDRESS, "agent": PERSON, **fields}
    return Arrived(a_touchpoint(kind, START_MS + after_ms, None, event_id=event_id, **fields), {}, {})


def agents(*arrived: Arrived, urls: dict[str, str] | None = None) -> dict[str, str | None]:
    came_in = [each._replace(properties={"url": (urls or {}).get(each.touchpoint.event_id)}) for each in arrived]
    programs = clicked_by_programs(came_in)
    marked = [by_program(each, programs).touchpoint for each in came_in]
    return {event.event_id: event.agent for event in marked}


@pytest.mark.parametrize(
    ("after_ms", "who"),
    [(-5_000, PERSON), (-900, SCANNER), (0, SCANNER), (1_999, SCANNER), (2_000, PERSON), (60_000, PERSON)],
)
def test_a_click_right_after_the_delivery_is_no_persons(after_ms: int, who: str) -> None:
    delivered, clicked = came("email_delivered", 0, "d", agent=None), came("email_clicked", after_ms, "c")
    assert agents(clicked, delivered) == {"d": None, "c": who}
    assert is_at_once(START_MS + after_ms, START_MS) == (who == SCANNER)


def test_two_links_within_a_second_are_no_persons() -> None:
    clicks = [
        came("email_clicked", 60_000, "a"),
        came("email_clicked", 60_700, "b"),
        came("email_clicked", 90_000, "c"),
    ]
    assert agents(*clicks, urls={"a": "/1", "b": "/2", "c": "/3"}) == {"a": SCANNER, "b": SCANNER, "c": PERSON}


def test_a_double_click_is_a_persons() -> None:
    clicks = [came("email_clicked", 60_000, "a"), came("email_clicked", 60_200, "b")]
    assert agents(*clicks, urls={"a": "/1", "b": "/1"}) == {"a": PERSON, "b": PERSON}


def test_messages_and_addresses_are_looked_at_one_by_one() -> None:
    others = [
        came("email_clicked", 60_000, "a"),
        came("email_clicked", 60_100, "b", message=Message(message_id="m2")),
        came("email_clicked", 60_200, "c", email_hash="cd" * 32),
        came("email_clicked", 60_300, "d", message=None),
        came("email_delivered", 60_000, "e", message=Message(message_id="m3"), agent=None),
    ]
    urls = {"a": "/1", "b": "/2", "c": "/3", "d": "/4"}
    assert set(agents(*others, urls=urls).values()) == {PERSON, None}


def test_opens_are_left_alone_and_prefetches_stay_what_they_are() -> None:
    delivered = came("email_delivered", 0, "d", agent=None)
    opened, clicked = came("email_opened", 10, "o"), came("email_clicked", 10, "c", agent=PREFETCH)
    assert agents(delivered, opened, clicked) == {"d": None, "o": PERSON, "c": PREFETCH}
