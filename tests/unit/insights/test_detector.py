"""A detector is stored so that an earlier release reads what its rules gave."""

from __future__ import annotations

import msgspec
import pytest

from schemas.insights import Anomaly
from streams.insights.detector import Detector, Incident
from streams.insights.state import InsightCodec, detector_key

KEY = detector_key("orders")
RAISED = Anomaly("a", "orders", "", "raised", 0, 0, 6.0, 60.0, 1.4, "low", "seasonal-pot")
_FRAME_BYTES = 9


@pytest.mark.parametrize("incident", [None, Incident(RAISED, 3, 2), Incident(RAISED, 3, 2, 12.5, 11.0)])
def test_a_detector_comes_back_as_it_was(incident: Incident | None) -> None:
    codec, detector = InsightCodec(), Detector(incident=incident, refractory_to_ms=5)
    assert codec.decode(KEY, codec.encode(KEY, detector)) == detector


@pytest.mark.parametrize(("sums", "fields"), [((0.0, 0.0), 3), ((12.5, 0.0), 5), ((0.0, 4.0), 5)])
def test_sums_of_an_incident_are_stored_if_there_are_any(sums: tuple[float, float], fields: int) -> None:
    detector = Detector(incident=Incident(RAISED, 3, 2, *sums))
    stored = msgspec.msgpack.decode(InsightCodec().encode(KEY, detector)[_FRAME_BYTES:])
    assert len(stored[5]) == fields
