"""What the times of one document say of who clicked: programs that look for malware follow all links, and at once.

A webhook often brings what happened to a message together, so its door can see this; a click that comes in alone is
taken for what its user agent says.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from schemas.touchpoint import PREFETCH, SCANNER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from schemas.touchpoint import Touchpoint
    from streams.collect.arrived import Arrived

AT_ONCE_MS: Final = 2_000
"""A click less than so long after the mailbox took the message is none of a person: they have to find and read it."""
TOGETHER_MS: Final = 1_000
"""Different links of one message that are clicked within so long are not clicked by a person."""
_DELIVERED: Final = "email_delivered"
_CLICKED: Final = "email_clicked"
_OF_MESSAGES: Final = frozenset({_DELIVERED, _CLICKED})

_Message = tuple[str, str]


def clicked_by_programs(arrived: Iterable[Arrived]) -> frozenset[str]:
    """Return the ids of the clicks, of what came in one record, that no person can have made.

    What was clicked is the property `url`.
    """
    urls: dict[str, Any] = {}
    delivered: dict[_Message, int] = {}
    clicks: dict[_Message, list[Touchpoint]] = {}
    for touchpoint, properties, _ in arrived:
        message = _message(touchpoint)
        if message is None or touchpoint.type not in _OF_MESSAGES:
            continue
        if touchpoint.type == _DELIVERED:
            delivered[message] = min(touchpoint.time_ms, delivered.get(message, touchpoint.time_ms))
        else:
            clicks.setdefault(message, []).append(touchpoint)
            urls[touchpoint.event_id] = properties.get("url")
    by_programs: set[str] = set()
    for message, clicked in clicks.items():
        by_programs |= _together(clicked, urls) | _at_once(clicked, delivered.get(message))
    return frozenset(by_programs)


def by_program(arrived: Arrived, programs: Collection[str]) -> Arrived:
    """Return what came in, marked as a program's if it is one of these clicks."""
    event = arrived.touchpoint
    if event.event_id not in programs or event.type != _CLICKED or event.agent == PREFETCH:
        return arrived
    return arrived._replace(touchpoint=replace(event, agent=SCANNER))


def is_at_once(clicked_ms: int, delivered_ms: int) -> bool:
    """Return whether a click is too soon after the delivery for a person. Clocks of servers differ: so may a second."""
    return -TOGETHER_MS <= clicked_ms - delivered_ms < AT_ONCE_MS


def _message(touchpoint: Touchpoint) -> _Message | None:
    message = touchpoint.message
    if message is None or message.message_id is None:
        return None
    return message.message_id, touchpoint.email_hash or ""


def _at_once(clicked: list[Touchpoint], delivered_ms: int | None) -> set[str]:
    if delivered_ms is None:
        return set()
    return {each.event_id for each in clicked if is_at_once(each.time_ms, delivered_ms)}


def _together(clicked: list[Touchpoint], urls: Mapping[str, Any]) -> set[str]:
    """Return the ids of clicks on different links within TOGETHER_MS of each other; in time n log n."""
    found: set[str] = set()
    ordered = sorted(clicked, key=lambda each: each.time_ms)
    for one, other in pairwise(ordered):
        is_other = urls.get(one.event_id) != urls.get(other.event_id)
        if is_other and other.time_ms - one.time_ms <= TOGETHER_MS:
            found |= {one.event_id, other.event_id}
    return found
