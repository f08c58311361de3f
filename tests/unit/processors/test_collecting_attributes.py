"""What the catalogue of attributes does not keep is counted, once it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from schemas.wire import SINGLE_OBJECT
from streams.engine.batch import Batch
from streams.processors.collecting import Collecting, Source
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.metrics import value
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

SETTINGS = DomainSettings.model_validate(
    {"clock": "marks", "attributes": {"points": {"type": "number"}, "plan": {"type": "text", "of": "customer"}}}
)


def counted(*events: Touchpoint, is_dropped: bool = False) -> dict[tuple[str, str], float | None]:
    """The metric by attribute and why."""
    metrics, unused = Metrics(), Source(lambda _: None, Mock())
    collecting = Collecting(Topics("shop"), SETTINGS, SINGLE_OBJECT, unused, Observer(metrics, Known()))
    collecting.assigned(0, None)
    records: list[Any] = [Kept(b"u:1", SINGLE_OBJECT.encode(event), (), at, 0) for at, event in enumerate(events)]
    list(collecting.process(Batch("shop.touchpoints", 0, records, len(records))))
    if is_dropped:
        collecting.dropped()
    collecting.committed()
    whys = [("points", "wrong_type"), ("plan", "too_long"), ("", "not_named")]
    return {(name, why): value(metrics, "attributes_let_go_total", attribute=name, why=why) or 0 for name, why in whys}


def test_each_value_that_is_let_go_is_counted_and_names_of_sources_are_no_labels() -> None:
    found = counted(
        a_touchpoint("page_viewed", START_MS, traits={"points": "many", "shoe": "42", "ann@x.de": "1"}),
        a_touchpoint("page_viewed", START_MS, traits={"points": "1.234,5", "plan": "x" * 300}),
        a_touchpoint("page_viewed", START_MS, traits={"points": "5"}, properties={"colour": "red"}),
    )
    assert found == {("points", "wrong_type"): 2, ("plan", "too_long"): 1, ("", "not_named"): 2}


@pytest.mark.interpreted
def test_what_is_not_committed_is_not_counted() -> None:
    event = a_touchpoint("page_viewed", START_MS, traits={"points": "many"})
    assert set(counted(event, is_dropped=True).values()) == {0}
