"""Events and attributes of a shop's own: kept by the catalogue, of the customer, and usable in flows."""

from __future__ import annotations

from datetime import datetime
from random import Random, randrange
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from schemas.journal import UndoMerge
from schemas.outputs import Decision, ProfileView, Trigger
from schemas.touchpoint import PREVIOUS_ID, Touchpoint
from schemas.wire import SINGLE_OBJECT, decode_as, encode
from streams.collect.collector import Collected, collect
from streams.profiles.traits import trait
from tests.support.flows import UNCAPPED, a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

pytestmark = pytest.mark.acceptance

CATALOGUE: dict[str, Any] = {
    "birthday": {"of": "customer", "type": "date"},
    "language": {"of": "customer", "type": "text"},
    "plan": {"of": "customer", "type": "text"},
    "points": {"of": "customer", "type": "number"},
    "tags": {"of": "customer", "type": "list"},
    "newsletter": {"of": "customer", "type": "flag"},
    "renewal": {"of": "customer", "type": "date"},
    "score": {"of": "event", "type": "number"},
}
NAMES = ("plan", "points", "language")


def a_world(**settings: Any) -> World:
    return World(attributes=CATALOGUE, **settings)


def through_the_door(world: World, event: Touchpoint) -> Touchpoint:
    """What collect makes of a canonical touchpoint."""
    found = collect(encode(event), event.time_ms, SINGLE_OBJECT, world.settings)
    assert isinstance(found, Collected)
    return decode_as(Touchpoint, found.value)


def a_profile(world: World, key: str) -> Profile:
    profile = world.profile(key)
    assert profile is not None
    return profile


def traits_of(world: World, key: str) -> dict[str, str]:
    known = a_profile(world, key).attributes
    return {} if known is None else {name: text for name, text in known.texts.items() if text}


def test_a_type_of_the_shops_own_is_an_event_of_the_customer() -> None:
    world = a_world()
    event = through_the_door(world, a_touchpoint("Quiz Finished", START_MS, anonymous_id="phone", session_id="s1"))
    assert (event.type, event.name) == ("custom", "Quiz Finished")
    world.send(event)
    profile = a_profile(world, "u:1")
    assert (profile.first_ms, profile.user_id, profile.linked) == (START_MS, "1", ("a:phone",))
    assert world.total("sessions") == 1


def test_a_device_brings_its_attributes_to_its_user_and_the_public_profile_has_them() -> None:
    world = a_world()
    seen = a_touchpoint("ad_clicked", START_MS, None, anonymous_id="phone", channel="ads", country="DE")
    said = a_touchpoint("page_viewed", START_MS + 1, None, anonymous_id="phone", traits={"plan": "free", "points": "5"})
    world.send(seen, said)
    world.send(a_touchpoint("signed_up", START_MS + 2, anonymous_id="phone", source="app", country="NO"))
    world.send(a_touchpoint("page_viewed", START_MS + 3, source="web", traits={"plan": "gold", "points": ""}))
    shown = world.emitted(ProfileView, "u:1")[-1]
    assert shown.traits == {"plan": "gold"}
    assert (shown.first_channel, shown.signup_source, shown.first_country) == ("ads", "app", "DE")


def test_by_earlier_rules_nothing_is_kept() -> None:
    world = World(rules=3, attributes=CATALOGUE)
    world.send(a_touchpoint("signed_up", START_MS, traits={"plan": "gold"}, country="DE", channel="ads"))
    assert a_profile(world, "u:1").attributes is None


def test_a_clock_that_is_ahead_does_not_keep_what_is_said_later_from_counting() -> None:
    world = a_world()
    world.send(a_touchpoint("page_viewed", START_MS + 20 * HOUR_MS, traits={"plan": "free"}), received_ms=START_MS)
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, traits={"plan": "gold"}), received_ms=START_MS + HOUR_MS)
    assert traits_of(world, "u:1") == {"plan": "gold"}


def sayings(random: Random, count: int) -> list[Touchpoint]:
    """Of two users and a device, at few times, so that some are equal."""
    found = []
    for number in range(count):
        who = random.choice(("1", "2", None))
        said = {random.choice(NAMES): random.choice(("", "a", "b", "7")) for _ in range(random.randrange(3))}
        kind, time_ms = random.choice(("page_viewed", "signed_up", "ad_clicked")), START_MS + random.randrange(9)
        fields: dict[str, Any] = {"event_id": f"said {number}", "source": random.choice(("app", "web"))}
        fields["country"] = random.choice((None, "DE", "NO"))
        fields["anonymous_id"] = None if who else "phone"
        found.append(a_touchpoint(kind, time_ms, who, traits=said, channel=random.choice(("ads", "email")), **fields))
    return found


@pytest.mark.parametrize("seed", [1, 2, pytest.param(randrange(1 << 32), id="any")])
def test_attributes_are_the_same_in_any_order_of_arrival_and_of_merges(seed: int) -> None:
    print("seed", seed)  # noqa: T201 - shown on failure
    random = Random(seed)
    for _ in range(25):
        events = sayings(random, random.randrange(3, 14))
        known = [a_touchpoint("page_viewed", START_MS + 50, user, event_id=f"known {user}") for user in ("1", "2")]
        links = [
            a_touchpoint("page_viewed", START_MS + 60, "2", anonymous_id="phone", event_id="login"),
            a_touchpoint("identity_linked", START_MS + 61, properties={PREVIOUS_ID: "2"}, event_id="merge"),
        ]
        found = set()
        for _ in range(4):
            world = a_world()
            # touchpoints come before a merge, between, and behind it
            for event in [*known, *random.sample([*events, *links], len(events) + 2)]:
                world.send(event, received_ms=START_MS + HOUR_MS)
            found.add(repr(a_profile(world, "u:1").attributes))
        assert len(found) == 1


def test_the_undo_of_a_merge_gives_each_their_own_attributes() -> None:
    world = a_world()
    world.send(an_order(START_MS, traits={"plan": "free", "points": "5"}, country="DE", channel="ads"))
    world.send(
        an_order(START_MS + 1, user="2", traits={"plan": "gold", "language": "no"}, country="NO", channel="email")
    )
    before = [a_profile(world, key).attributes for key in ("u:1", "u:2")]
    world.send(a_touchpoint("identity_linked", START_MS + HOUR_MS, properties={PREVIOUS_ID: "2"}))
    assert traits_of(world, "u:1") == {"plan": "gold", "points": "5", "language": "no"}
    world.append("u:2", UndoMerge("they are two", "ann"))
    assert [a_profile(world, key).attributes for key in ("u:1", "u:2")] == before


def test_what_was_said_between_a_merge_and_its_undo_stays_with_the_key_that_named_it() -> None:
    world = a_world()
    world.send(an_order(START_MS, traits={"plan": "free"}), an_order(START_MS, user="2", traits={"plan": "gold"}))
    world.send(a_touchpoint("identity_linked", START_MS + HOUR_MS, properties={PREVIOUS_ID: "2"}))
    world.send(a_touchpoint("page_viewed", START_MS + DAY_MS, traits={"language": "de"}))
    world.send(a_touchpoint("page_viewed", START_MS + DAY_MS, "2", traits={"points": "9"}))
    world.append("u:2", UndoMerge("they are two", "ann"))
    assert trait(a_profile(world, "u:1").attributes, "language") == "de"
    assert traits_of(world, "u:2") == {"plan": "gold", "points": "9"}


def a_story(*flows: dict[str, Any], **settings: Any) -> World:
    return a_world(flows=flows, entry_age_max_ms=400 * DAY_MS, **settings)


def a_bare(flow_id: str = "own", event: str = "page_viewed", **changes: Any) -> dict[str, Any]:
    """One message at once, with an offer, as it shows no articles."""
    steps = [{"name": "message", "do": "trigger", "offer": "hello"}]
    return a_bare_flow(flow_id, event, **{"steps": steps, "caps": UNCAPPED, "exits": [], **changes})


def a_view(at_ms: int, user: str = "1", **fields: Any) -> Touchpoint:
    kind = fields.pop("type", "page_viewed")
    return a_touchpoint(kind, at_ms, user, email_hash=f"{int(user):02x}" * 32, **fields)


def sent_to(world: World) -> list[tuple[str, str]]:
    """Who got a message, by which flow."""
    return [(each.customer, each.flow_id) for each in world.emitted(Trigger)]


def sent_at(world: World, zone: str = "UTC") -> list[str]:
    return [str(datetime.fromtimestamp(each.due_ms / 1000, ZoneInfo(zone)))[:16] for each in world.emitted(Trigger)]


def a_date(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


BIRTHDAY = a_bare("birthday", entry={"date": "traits.birthday", "yearly": True, "before": "7d"})


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_a_birthday_starts_a_flow_a_week_before_it_in_every_year_where_the_customer_is(zone: str) -> None:
    world = a_story(BIRTHDAY)
    world.send(a_view(START_MS, traits={"birthday": "1990-04-02"}, time_zone=zone))
    for month in range(1, 30):
        world.pass_time(START_MS + month * 30 * DAY_MS)
    assert sent_at(world, zone) == ["2026-03-26 00:00", "2027-03-26 00:00", "2028-03-26 00:00"]
    (first, *_) = world.emitted(Decision)
    assert first.reason == "The time 7d before the day of traits.birthday started the flow for this customer."


def test_a_leap_day_is_the_28th_in_other_years() -> None:
    on_the_day = a_bare("birthday", entry={"date": "traits.birthday", "yearly": True})
    world = a_story(on_the_day)
    world.send(a_view(START_MS, traits={"birthday": "1992-02-29"}))
    for month in range(1, 40):
        world.pass_time(START_MS + month * 30 * DAY_MS)
    assert sent_at(world) == ["2026-02-28 00:00", "2027-02-28 00:00", "2028-02-29 00:00", "2029-02-28 00:00"]


def test_a_birthday_that_is_put_right_or_a_move_across_the_world_gives_no_second_message_in_a_year() -> None:
    world = a_story(BIRTHDAY)
    world.send(a_view(START_MS, traits={"birthday": "1990-02-01"}, time_zone="Asia/Tokyo"))
    world.pass_time(a_date("2026-01-26"))
    assert len(sent_to(world)) == 1
    world.send(a_view(a_date("2026-01-26"), time_zone="America/Los_Angeles"))
    world.send(a_view(a_date("2026-02-02"), traits={"birthday": "1990-06-01"}))
    world.pass_time(a_date("2026-12-31"))
    assert sent_at(world, "Asia/Tokyo") == ["2026-01-25 00:00"]
    world.pass_time(a_date("2027-12-31"))
    assert sent_at(world, "America/Los_Angeles")[1:] == ["2027-05-25 00:00"]


def test_a_birthday_that_is_taken_away_starts_nothing() -> None:
    world = a_story(BIRTHDAY)
    world.send(a_view(START_MS, traits={"birthday": "1990-04-02"}))
    world.send(a_view(START_MS + DAY_MS, traits={"birthday": ""}))
    world.pass_time(START_MS + 300 * DAY_MS)
    assert sent_to(world) == []


def test_a_date_that_comes_once_and_a_step_that_waits_for_it() -> None:
    once = a_bare("renewal", entry={"date": "traits.renewal", "before": "30d"})
    waits = a_bare(
        "waits",
        "custom:Contract Signed",
        expires_after="30d",
        steps=[
            {"name": "day", "do": "wait_for_date", "field": "traits.renewal", "before": "1d"},
            {"name": "message", "do": "trigger", "offer": "renew"},
        ],
    )
    world = a_story(once, waits)
    world.send(a_view(START_MS, traits={"renewal": "2026-05-01T15:30:00Z"}))
    world.send(a_view(START_MS + 1, type="custom", name="Contract Signed"))
    world.pass_time(START_MS + 300 * DAY_MS)
    found = sorted((each.flow_id, when) for each, when in zip(world.emitted(Trigger), sent_at(world), strict=True))
    assert found == [("renewal", "2026-04-01 15:30"), ("waits", "2026-04-30 15:30")]


def test_language_and_country_choose_the_message() -> None:
    steps = [
        {"name": "which", "do": "branch", "if": {"field": "language", "is": ["de"]}, "then": "german"},
        {"name": "other", "do": "trigger", "offer": "hello", "next": "end"},
        {"name": "german", "do": "trigger", "offer": "hallo"},
    ]
    condition = {"any": [{"field": "country", "is": ["DE", "AT"]}, {"field": "first_country", "is": ["DE"]}]}
    world = a_story(a_bare(entry={"event": "page_viewed", "condition": condition}, steps=steps))
    world.send(a_view(START_MS, "1", country="AT", traits={"language": "de"}))
    world.send(a_view(START_MS, "2", country="DE", traits={"language": "en"}))
    world.send(a_view(START_MS, "3", country="FR", traits={"language": "de"}))
    world.pass_time(START_MS + 1)
    assert {(each.customer, each.step) for each in world.emitted(Trigger)} == {("u:1", "german"), ("u:2", "other")}


def test_where_a_customer_came_from_first_stays_a_condition() -> None:
    condition = {"all": [{"field": "first_channel", "is": ["ads"]}, {"field": "signup_source", "is": ["app"]}]}
    world = a_story(a_bare(entry={"event": "page_viewed", "condition": condition}))
    for user, channel in (("1", "ads"), ("2", "email")):
        world.send(a_touchpoint("ad_clicked", START_MS, user, channel=channel))
        world.send(a_touchpoint("ad_clicked", START_MS + 1, user, channel="search"))
        world.send(a_touchpoint("signed_up", START_MS + 2, user, source="app"))
        world.send(a_view(START_MS + 3, user))
    world.pass_time(START_MS + 4)
    assert sent_to(world) == [("u:1", "own")]


def test_points_above_500() -> None:
    condition = {"field": "traits.points", "above": 500}
    world = a_story(a_bare(entry={"event": "page_viewed", "condition": condition}, attributes=["traits.points"]))
    for user, points in (("1", "500"), ("2", "500.01"), ("3", "1500"), ("4", "60"), ("5", "")):
        world.send(a_view(START_MS, user, traits={"points": points}))
    world.pass_time(START_MS + 1)
    found = {each.customer: each.attributes for each in world.emitted(Trigger)}
    assert found == {"u:2": {"traits.points": "500.01"}, "u:3": {"traits.points": "1500"}}


def test_an_own_event_with_a_numeric_property_starts_a_flow_whose_messages_carry_it() -> None:
    entry = {"event": "custom:Quiz Finished", "condition": {"field": "event.properties.score", "at_least": 7.5}}
    carried = ["event.properties.score", "event.name", "traits.plan", "traits.language"]
    world = a_story(a_bare(entry=entry, attributes=carried, wait={"for": "1h"}))
    for user, score, name in (("1", 8, "Quiz Finished"), ("2", 7, "Quiz Finished"), ("3", 9, "Quiz Begun")):
        event = a_view(START_MS, user, properties={"score": str(score)})
        world.send(through_the_door(world, Touchpoint(**{**_fields(event), "type": name})))
    world.send(a_view(START_MS + 1, "1", traits={"plan": "gold"}))
    world.pass_time(START_MS + HOUR_MS)
    (sent,) = world.emitted(Trigger)
    assert sent.attributes == {"event.properties.score": "8", "event.name": "Quiz Finished", "traits.plan": "gold"}
    assert world.emitted(Decision)[0].reason == "custom:Quiz Finished started the flow for this customer."


def _fields(event: Touchpoint) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def own(at_ms: int, name: str, user: str = "1") -> Touchpoint:
    return a_view(at_ms, user, type="custom", name=name)


def test_delivered_then_review_unless_there_is_one() -> None:
    flow = a_bare(
        "review",
        "custom:Order Delivered",
        wait={"for": "3d"},
        exits=["custom:Review Submitted"],
        goal={"event": "custom:Review Submitted", "window": "7d"},
        steps=[
            {"name": "ask", "do": "trigger", "offer": "review"},
            {"name": "a_week", "do": "wait", "for": "7d"},
            {"name": "again", "do": "trigger", "offer": "review"},
        ],
    )
    world = a_story(flow)
    for user in ("1", "2", "3"):
        world.send(own(START_MS, "Order Delivered", user))
    world.send(own(START_MS + 2 * DAY_MS, "Review Submitted", "1"))
    world.pass_time(START_MS + 4 * DAY_MS)
    world.send(own(START_MS + 5 * DAY_MS, "Review Submitted", "2"))
    world.send(own(START_MS + 5 * DAY_MS, "Review Read", "3"))
    world.pass_time(START_MS + 20 * DAY_MS)
    assert [(each.customer, each.step) for each in world.emitted(Trigger)] == [
        ("u:2", "ask"),
        ("u:3", "ask"),
        ("u:3", "again"),
    ]
    assert {each.reason for each in world.emitted(Decision) if each.outcome == "exited"} == {
        "custom:Review Submitted ended the flow for this customer."
    }


def test_a_goal_of_ones_own_is_asked_by_a_step() -> None:
    flow = a_bare(
        "quiz",
        "page_viewed",
        goal={"event": "custom:Quiz Finished", "window": "7d"},
        reentry="never",
        steps=[
            {"name": "ask", "do": "trigger", "offer": "quiz"},
            {"name": "a_day", "do": "wait", "for": "1d"},
            {"name": "done", "do": "check_goal"},
            {"name": "again", "do": "trigger", "offer": "quiz"},
        ],
    )
    world = a_story(flow)
    world.send(a_view(START_MS, "1"), a_view(START_MS, "2"))
    world.pass_time(START_MS + 1)
    world.send(own(START_MS + HOUR_MS, "Quiz Finished", "1"))
    world.pass_time(START_MS + 2 * DAY_MS)
    assert [(each.customer, each.step) for each in world.emitted(Trigger)] == [
        ("u:1", "ask"),
        ("u:2", "ask"),
        ("u:2", "again"),
    ]


def test_flags_lists_and_what_is_known_decide() -> None:
    needs = {
        "condition": {
            "all": [
                {"field": "traits.newsletter", "is": True},
                {"field": "traits.tags", "contains": ["vip", "press"]},
                {"not": {"field": "traits.plan", "known": True}},
            ]
        }
    }
    world = a_story(a_bare(needs=needs))
    yes = {"newsletter": "true", "tags": '["new","vip"]'}
    for user, traits in (
        ("1", yes),
        ("2", yes | {"newsletter": "false"}),
        ("3", yes | {"tags": '["vip2"]'}),
        ("4", yes | {"plan": "gold"}),
        ("5", {"tags": '["vip"]'}),
        ("6", yes | {"tags": "vip"}),
    ):
        world.send(a_view(START_MS, user, traits=traits))
    world.pass_time(START_MS + 1)
    assert sent_to(world) == [("u:1", "own")]


def test_a_message_carries_its_events_attributes_over_a_merge() -> None:
    flow = a_bare(
        "own", "custom:Quiz Finished", wait={"for": "5d"}, attributes=["event.properties.score", "traits.plan"]
    )
    world = a_story(flow)
    world.send(a_view(START_MS, "1"))
    world.send(
        a_touchpoint("custom", START_MS, "2", name="Quiz Finished", properties={"score": "9"}, traits={"plan": "x"})
    )
    world.send(a_touchpoint("identity_linked", START_MS + DAY_MS, properties={PREVIOUS_ID: "2"}))
    world.pass_time(START_MS + 6 * DAY_MS)
    (sent,) = world.emitted(Trigger)
    assert (sent.customer, sent.attributes) == ("u:1", {"event.properties.score": "9", "traits.plan": "x"})
