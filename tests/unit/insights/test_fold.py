"""Facts of a journal are added up by its rules."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from schemas.insights import Count
from schemas.journal import Configured
from streams.insights.anomalies import WATCHED
from streams.insights.fold import configured
from streams.insights.state import InsightCodec, detector_key, hour_key
from streams.settings import DomainSettings
from tests.support.insights import HOUR_MS, a_partition, at, counts, facts, fold_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.insights import Facts

MONDAY = at("2024-01-01T00:00")
BY_RULES_2 = "10cfe7aab6d9c56585b422fbfaa8578b1f3e41effd2c82474ee91f38ffdf1835"
"""Of what the release before rules 3 concluded from `a_quarter` by rules 2, floats with nine digits."""


def a_quarter() -> Iterator[Facts]:
    """Days of a shop with closing hours that had incidents, orders in other currencies, and late facts."""
    chance = np.random.default_rng(7)
    for day in range(90):
        given: list[Count] = []
        for hour in range(24):
            is_open, is_off = 9 <= hour < 18 and day % 7 < 6, (day, hour) in {(40, 10), (40, 11), (60, 12), (60, 13)}
            orders = int(chance.poisson(30)) if is_open and not is_off else 0
            start_ms = MONDAY + (24 * day + hour) * HOUR_MS
            given += counts(start_ms, orders=orders, revenue_minor=2_500 * orders, sessions=3 * orders)
            if orders > 35:
                given += [Count("revenue_minor", start_ms, "currency=USD", 900), *counts(start_ms, orders=1)]
                given += [Count("refunds_minor", start_ms - 50 * HOUR_MS, "currency=USD", 200)]
        yield facts(*given, to=MONDAY + (day + 1) * 24 * HOUR_MS)


def test_facts_of_a_journal_of_rules_2_are_added_up_as_before() -> None:
    state = a_partition()
    state.delete(b"settings")
    domain = DomainSettings(journal_partitions=1, grace_ms=0)
    configured(state, Configured(domain.model_dump_json(), 0, 2))
    digest, codec, anomalies = sha256(), InsightCodec(), 0
    for record in a_quarter():
        effects = fold_to_end(state, record)
        anomalies += len(effects.anomalies)
        digest.update(_digested([effects.kpis, effects.anomalies, effects.broadcast]))
        last_ms = record.complete_to_ms or 0
        keys = [*map(detector_key, WATCHED), hour_key(last_ms - HOUR_MS), hour_key(last_ms - 50 * HOUR_MS)]
        for key in keys:
            value = state.get(key)
            stored = codec.encode(key, value)[9:] if value is not None else b"\xc0"
            digest.update(_digested(msgspec.msgpack.decode(stored)))
    assert anomalies >= 4
    assert digest.hexdigest() == BY_RULES_2


def _digested(value: object) -> bytes:
    return msgspec.json.encode(_rounded(msgspec.to_builtins(value)))


def _rounded(value: Any) -> Any:
    """The last digits of a root or a logarithm are the machine's."""
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        # rules 3 alone say since when the shop is known
        return {key: _rounded(each) for key, each in value.items() if (key, each) != ("first_event_ms", 0)}
    return [_rounded(each) for each in value] if isinstance(value, (list, tuple)) else value
