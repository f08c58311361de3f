"""What holds of a prefix that is worked off, whatever happened on the way."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from streams.operations.folded_journal import verify_prefix
from streams.operations.prefix import open_prefix
from streams.shop.generator import ShopParameters
from tests.support.outcomes import ORDERED, Outcome

if TYPE_CHECKING:
    from tests.support.running import Place


DEVICES = ShopParameters(seed=13, start=date(2025, 9, 6), days=4, orders_per_hour=6, customers=150, outages=())
"""A weekend and two days: what a linked device did after Monday's tick has to be forwarded."""


def assert_nothing_twice(outcome: Outcome) -> None:
    assert [what for what, times in outcome.ids.items() if times > 1] == []


def assert_balanced(outcome: Outcome, sent: int) -> None:
    account = outcome.accounting()
    assert account["touchpoints"] == sent
    assert account["touchpoints"] == account["journalled"] + account["collect_letters"]
    assert account["journalled"] == account["folded"] + account["duplicates"] + account["fold_dead_letters"]
    assert account["forwards_sent"] == account["forwards_received"]


def assert_prefix_is_nowhere(outcome: Outcome, place: Place) -> None:
    name = place.settings.prefix.encode()
    for topic in ORDERED:
        assert not [key for key, values in outcome.values[topic].items() if any(name in value for value in values)]


def assert_verified(place: Place) -> None:
    found = verify_prefix(open_prefix(place.settings))
    assert found.holds, found.differences[:5]
    assert found.folded == found.held
