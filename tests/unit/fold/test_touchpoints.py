"""What a touchpoint changes that others see of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.touchpoint import Consent
from schemas.units import DAY_MS, HOUR_MS
from streams.fold import fold as folding
from streams.fold import touchpoints as folded
from streams.fold.scoring import publish_changes
from streams.fold.touchpoints import fold_touchpoint
from streams.profiles.view import may_differ
from tests.bench.mix import touchpoints
from tests.support.flows import TEN
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.same_bytes import with_odd_orders
from tests.support.shop_folded import CUTS
from tests.support.world import a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint
    from streams.fold.identifying import Changes
    from streams.fold.moment import FoldMoment
    from streams.fold.touchpoints import Arrival
    from streams.profiles.profile import Profile

# a compiled function calls another directly, so the test can put no other in its place
pytestmark = pytest.mark.interpreted


def a_busy_shop() -> Iterator[tuple[int, Touchpoint]]:
    """Visits and odd orders; now and then customers log in on other devices, and say what they consent to."""
    for number, (received_ms, event) in enumerate(with_odd_orders((one.time_ms, one) for one in touchpoints(3_000))):
        yield received_ms, event
        user = event.user_id or "7"
        if number % 20 == 0:
            yield received_ms, a_touchpoint("page_viewed", received_ms, user, anonymous_id=f"d{number}")
        if number % 30 == 0:
            statement = Consent("email", granted=number % 60 == 0)
            yield received_ms, a_touchpoint("consent_changed", received_ms, user, consent=statement)
        if number % 70 == 0:
            yield received_ms, a_touchpoint("email_unsubscribed", received_ms, user, email_hash="ab" * 32)


def test_what_is_not_looked_at_has_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, unlooked = [], []

    def published(before: Profile, after: Profile, at: FoldMoment) -> None:
        looked.append(after)
        publish_changes(before, after, at)

    def watched(before: Profile, changes: Changes, arrival: Arrival, at: FoldMoment) -> Profile:
        count = len(looked)
        after = fold_touchpoint(before, changes, arrival, at)
        if len(looked) == count:
            unlooked.append(after)
            assert not may_differ(before, after), arrival.event
        return after

    monkeypatch.setattr(folded, "publish_changes", published)
    monkeypatch.setattr(folding, "fold_touchpoint", watched)
    domain = {"clock": "marks", "consent_default": "granted", "cuts_fixed": CUTS, "flows": TEN}
    worker = MemoryWorker(configured(**domain, touchpoint_partitions=1, journal_partitions=1))
    now_ms = 0
    for number, (received_ms, event) in enumerate(a_busy_shop()):
        worker.send(event, received_ms)
        now_ms = max(now_ms, received_ms)
        if number % 200 == 0:
            worker.pass_time(now_ms)
    worker.pass_time(now_ms + 8 * DAY_MS + HOUR_MS)
    assert len(looked) > 500
    assert len(unlooked) > 500
