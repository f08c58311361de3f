"""Recorded hours of a shop give the same customers, known from the beginning or only from their checkout on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.outputs import ProfileView
from streams.profiles.effects import hash_64
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from tests.support.files import real_file
from tests.support.flow_sets import CUTS
from tests.support.world import DAY_MS, World

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

pytestmark = pytest.mark.acceptance

RECORDED = "rees46/2019-10-01_first_hours.csv.gz"
CHANNELS = ("ads", "search", "email", None)
FACTS = {"orders", "revenue_minor", "new_customers", "sessions", "sessions_ordered", "customers_ordered", "customers"}


def recorded() -> list[Touchpoint]:
    """The touchpoints of the file. Each visit came by a channel, which the file does not have."""
    mapped = map_files([real_file(RECORDED)], load_mapping("rees46"))
    events = [each.touchpoint for each in mapped if isinstance(each, MappedTouchpoint)]
    return [replace(event, channel=CHANNELS[hash_64(event.session_id or "") % len(CHANNELS)]) for event in events]


def half_anonymous(events: list[Touchpoint]) -> list[Touchpoint]:
    """Of the visits that end in an order, every other one is of a device until its first order names the user too."""
    visits = list(dict.fromkeys(event.session_id for event in events if event.order is not None))
    anonymous = set(visits[::2])
    assert len(anonymous) > 50
    found = []
    for event in events:
        visit = event.session_id
        if visit in anonymous:
            is_checkout = event.order is not None
            event = replace(event, anonymous_id=visit, user_id=event.user_id if is_checkout else None)  # noqa: PLW2901
        found.append(event)
    return found


def customers_of(events: list[Touchpoint]) -> dict[str, Any]:
    """What insights and subscribers have of all users with an order when the day is over."""
    world = World(cuts_fixed=CUTS)
    for event in events:
        world.send(event)
    last_ms = max(event.time_ms for event in events)
    world.pass_time(last_ms + DAY_MS)
    shown = {who: record for who, record in world.outputs if record is None or isinstance(record, ProfileView)}
    users = {who: view for who, view in shown.items() if isinstance(view, ProfileView) and view.orders}
    assert all(who.startswith("u:") for who in users)
    names = ("segment", "r", "f", "m", "orders", "monetary_minor", "first_order_ms", "last_order_ms", "lifecycle")
    return {
        "users": {who: {name: getattr(view, name) for name in names} for who, view in users.items()},
        "facts": {key: value for key, value in world.counts.items() if key[0] in FACTS and value},
        "credit": world.credit("order_id", "model", "channel", "touch_id", "currency"),
    }


def test_half_of_the_visits_anonymous_until_their_checkout_end_as_if_all_were_known() -> None:
    events = recorded()
    expected = customers_of(events)
    assert len(expected["users"]) > 100
    assert {key[2] for key in expected["credit"]} > {"ads", "search", "email"}
    found = customers_of(half_anonymous(events))
    for name, of_all_known in expected.items():
        assert found[name] == of_all_known
