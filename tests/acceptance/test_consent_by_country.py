"""What holds for customers who said nothing, by the country where they are."""

from __future__ import annotations

import random
from typing import Any

import pytest

from schemas.journal import RULES_3
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.fold.stepping import stepped_back
from streams.profiles.standing import country_of_default, promotional_default
from tests.support.flows import a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

pytestmark = pytest.mark.acceptance

NEWS = a_bare_flow(
    "news",
    "product_viewed",
    caps={"per_channel_hours": 0, "per_week": 100},
    exits=[],
    steps=[{"name": "message", "do": "trigger", "offer": "save_5"}],
)
THANKS = a_bare_flow("thanks", "order_completed", **{"class": "transactional"}, products="order")
BY_COUNTRY = {"US": "granted", "DE": "denied"}


def a_world(default: str = "denied", **given: Any) -> World:
    given = {"flows": (NEWS, THANKS), "consent_default_by_country": BY_COUNTRY, **given}
    world = World(consent_default=default, **given)
    world.pass_time(START_MS - 1)
    return world


def looks(world: World, at_ms: int, **fields: Any) -> Decision:
    world.send(a_touchpoint("product_viewed", at_ms, **fields))
    world.pass_time(at_ms + HOUR_MS)
    return [each for each in world.emitted(Decision) if each.outcome in {"sent", "no_consent"}][-1]


@pytest.mark.parametrize(
    ("default", "country", "outcome", "named"),
    [
        ("denied", "us", "sent", "US"),
        ("denied", "FR", "no_consent", "other"),
        ("denied", None, "no_consent", "other"),
        ("denied", "United States", "no_consent", "other"),
        ("granted", "DE", "no_consent", "DE"),
        ("granted", "FR", "sent", "other"),
    ],
)
def test_the_default_is_that_of_the_customers_country(
    default: str, country: str | None, outcome: str, named: str
) -> None:
    decision = looks(a_world(default), START_MS, country=country)
    assert decision.outcome == outcome
    assert (decision.evidence["consent"], decision.evidence["consent_country"]) == ("default", named)


def test_what_was_said_goes_before_the_default() -> None:
    world = a_world()
    world.send(a_touchpoint("consent_changed", START_MS, consent=Consent("email", granted=False), country="US"))
    decision = looks(world, START_MS + HOUR_MS)
    assert decision.outcome == "no_consent"
    assert "consent_country" not in decision.evidence


def test_order_mail_asks_no_country() -> None:
    world = a_world()
    world.send(an_order(START_MS, country="DE"))
    world.pass_time(START_MS + HOUR_MS)
    assert [each.flow_id for each in world.emitted(Trigger)] == ["thanks"]
    (sent,) = [each for each in world.emitted(Decision) if each.outcome == "sent"]
    assert "consent_country" not in sent.evidence


def test_without_the_setting_decisions_are_as_before() -> None:
    decision = looks(a_world(consent_default_by_country={}), START_MS, country="US")
    assert (decision.outcome, "consent_country" in decision.evidence) == ("no_consent", False)


def test_the_country_is_that_named_last_by_event_time_in_any_order() -> None:
    named = [
        (START_MS + HOUR_MS, "DE"),
        (START_MS, "US"),
        (START_MS + 2 * HOUR_MS, "FR"),
        (START_MS + 2 * HOUR_MS, "AT"),
    ]
    for seed in range(24):
        world = World()
        for at_ms, country in random.Random(seed).sample(named, len(named)):
            world.send(a_touchpoint("page_viewed", at_ms, country=country), received_ms=START_MS + DAY_MS)
        profile = world.profile("u:1")
        assert profile is not None
        assert profile.country == ("FR", START_MS + 2 * HOUR_MS)


def test_a_report_about_a_message_says_nothing_of_where_the_customer_is() -> None:
    world = World()
    world.send(a_touchpoint("page_viewed", START_MS, country="DE"))
    world.send(a_touchpoint("email_opened", START_MS + 1, country="US"))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.country == ("DE", START_MS)
    assert stepped_back("u:1", profile, START_MS - 5).country == ("DE", START_MS - 5)


@pytest.mark.parametrize("later", ["1", "2"])
def test_merged_users_are_where_either_was_last(later: str) -> None:
    world = World()
    for user, country in (("1", "DE"), ("2", "US")):
        world.send(a_touchpoint("page_viewed", START_MS + (user == later), user, country=country))
    world.send(a_touchpoint("identity_linked", START_MS + 2, "1", properties={"previous_id": "2"}))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.country == ({"1": "DE", "2": "US"}[later], START_MS + 1)


def test_earlier_rules_know_no_country() -> None:
    world = World(rules=RULES_3)
    world.send(a_touchpoint("page_viewed", START_MS, country="DE"))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.country is None
    settings = a_world().settings
    assert country_of_default(profile, settings) is None
    assert not promotional_default(profile, settings)
