"""A prefix that earlier rules wrote goes on: first by its rules, then by the newest, and verify stays exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.journal import RULES
from schemas.outputs import ProfileView, Trigger
from schemas.touchpoint import Mark
from schemas.units import DAY_MS
from streams.operations.create import create_prefix, read_published
from tests.support.claims import assert_verified
from tests.support.earlier_rules import a_place_of
from tests.support.running import a_worker, send, wait_worked_off
from tests.support.same_bytes import JOURNAL, JOURNAL_OF_RULES_2, JOURNAL_OF_RULES_3
from tests.support.world import an_order

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import Place

pytestmark = pytest.mark.acceptance

LATER_MS = 1_760_400_000_000
"""2025-10-14, some days after the last record of either journal."""


def assert_verified_with_messages(place: Place) -> None:
    assert_verified(place)
    assert len(place.records("triggers", Trigger)) > 100


def some_days(place: Place, begin_ms: int, user: str) -> None:
    """Orders of one customer that is new and of one that was known before, and a week in which time passes."""
    known = min(key for key in place.last("profiles", ProfileView) if key.startswith("u:")).removeprefix("u:")
    send(place, [an_order(begin_ms + number * DAY_MS, 1_000, user=user) for number in range(3)])
    send(place, [an_order(begin_ms + number * DAY_MS + 1, 1_000, user=known) for number in range(3)])
    for partition in range(place.domain.touchpoint_partitions):
        send(place, [Mark(begin_ms + days * DAY_MS) for days in range(3, 10)], partition)
    wait_worked_off(place, 120)


@pytest.mark.parametrize(
    ("journal", "rules"), [(JOURNAL, 1), (JOURNAL_OF_RULES_2, 2), (JOURNAL_OF_RULES_3, 3)], ids=["1", "2", "3"]
)
def test_a_journal_and_a_state_of_earlier_rules_go_on_by_them_and_then_by_the_newest(
    kafka: str, prefix: str, tmp_path: Path, journal: Path, rules: int
) -> None:
    place = a_place_of(journal, kafka, prefix, tmp_path)
    assert read_published(place.settings).rules == rules
    assert_verified_with_messages(place)
    customers = len(place.last("profiles", ProfileView))
    with a_worker(place):
        some_days(place, LATER_MS, "under-the-earlier-rules")
    assert_verified_with_messages(place)
    created = create_prefix(place.settings, place.domain, keeps_flows=True)
    assert created.configured
    assert read_published(place.settings).rules == RULES
    with a_worker(place):
        some_days(place, LATER_MS + 20 * DAY_MS, "under-the-newest-rules")
    assert_verified_with_messages(place)
    profiles = place.last("profiles", ProfileView)
    assert profiles["u:under-the-earlier-rules"].orders == profiles["u:under-the-newest-rules"].orders == 3
    assert len(profiles) == customers + 2
