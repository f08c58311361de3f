"""What a backtest's figures let one expect of a flow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from streams.flows.language.expectations import Figures, NoExpectation, Tried, expected_of
from streams.flows.language.mistakes import parse_flow
from streams.offline.backtest_report import FlowFigures, Report
from tests.support.flows import a_flow

if TYPE_CHECKING:
    from pathlib import Path

FLOW = parse_flow(a_flow(), "flow")
FIGURES: dict[str, Any] = {
    "begin": "2026-03-01T10:00:00+00:00",
    "end": "2026-03-10T22:30:00+00:00",
    "zone": "Europe/Berlin",
    "records": 9,
    "flows": [
        {
            "flow_id": FLOW.id,
            "version": FLOW.version,
            "sends": 99,
            "days": {
                "2026-03-01": 900,
                "2026-03-02": 8,
                "2026-03-03": 16,
                "2026-03-09": 8,
                "2026-03-10": 900,
            },
        },
        {"flow_id": "another", "version": 1, "sends": 1, "days": {"2026-03-04": 1}},
    ],
}


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "tried.json"
    file.write_text(json.dumps(FIGURES | changes), "utf-8")
    return file


def test_whole_days_alone_count_and_days_without_a_message_are_days(tmp_path: Path) -> None:
    expected = expected_of(FLOW, written(tmp_path))
    assert expected.per_day == 4
    assert expected.deviation == pytest.approx(6.0474, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flows": FIGURES["flows"][1:]}, f"the backtest did not try {FLOW.id} v{FLOW.version}, but another v1"),
        ({"end": "2026-03-05T00:00:00+00:00"}, "it covers 3 whole days, but at least 7 are needed"),
        ({"flows": 5}, "flows: Input should be a valid array; use a file of `touchstream backtest --json`"),
    ],
)
def test_figures_that_say_nothing_of_the_flow_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(NoExpectation, match=re.escape(said)):
        expected_of(FLOW, written(tmp_path, **changes))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoExpectation, match=r"none.json: No such file"):
        expected_of(FLOW, tmp_path / "none.json")


def test_what_a_backtest_writes_has_all_that_is_read() -> None:
    assert set(Figures.model_fields) <= set(Report.__struct_fields__)
    assert set(Tried.model_fields) <= set(FlowFigures.__struct_fields__)
