"""The settings that decide, and what is said of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.flows.language.files import library_documents
from streams.flows.language.mistakes import FlowError
from streams.operations.settings_file import configured, names_flows
from streams.settings import SettingsError, parse_domain

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """\
id: {name}
version: 1
owner: us
goal: {{event: order_completed, window: 3d}}
stage: any
priority: 10
class: promotional
entry: {{event: product_added}}
needs: {{cart: not_empty}}
channel: email
expires_after: 24h
steps:
  - {{name: reminder, do: trigger}}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_the_products_own_flows_are_published() -> None:
    domain = configured(environment={})
    assert domain.flows == library_documents()
    assert "abandoned_cart" in {flow["id"] for flow in domain.flows}


def test_a_variable_goes_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "shop.yaml", "clock: marks\nreporting_currency: GBP\n")
    domain = configured(file, environment={"TOUCHSTREAM_DOMAIN_REPORTING_CURRENCY": "USD"})
    assert (domain.clock, domain.reporting_currency) == ("marks", "USD")


def test_cuts_may_be_given_as_json() -> None:
    text = '{"recency_ms": [1, 2, 3, 4], "frequency": [1, 2, 3, 4], "monetary_minor": [5, 6, 7, 8]}'
    domain = configured(environment={"TOUCHSTREAM_DOMAIN_CUTS_FIXED": text})
    assert domain.cuts_fixed is not None
    assert domain.cuts_fixed.monetary_minor == (5, 6, 7, 8)


def test_what_is_published_is_read_back_equal() -> None:
    domain = configured(environment={"TOUCHSTREAM_DOMAIN_REPORTING_TIME_ZONE": "Europe/London"})
    assert parse_domain(domain.model_dump_json()) == domain


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TOUCHSTREAM_DOMAIN_CLOCK": "sun"}, "TOUCHSTREAM_DOMAIN_CLOCK is 'sun': Input should be 'wall' or 'marks'"),
        ({"TOUCHSTREAM_DOMAIN_GRACE_MS": "-1"}, "TOUCHSTREAM_DOMAIN_GRACE_MS is '-1': .*greater than or equal to 0"),
        ({"TOUCHSTREAM_DOMAIN_REPORTING_TIME_ZONE": "Mars"}, "REPORTING_TIME_ZONE is 'Mars': .*Europe/Berlin"),
        (
            {"TOUCHSTREAM_DOMAIN_KLOCK": "wall"},
            "TOUCHSTREAM_DOMAIN_KLOCK is 'wall': there is no such setting; the settings are clock, ",
        ),
        ({"TOUCHSTREAM_DOMAIN_CUTS_FIXED": '{"frequency": []}'}, r"DOMAIN_CUTS_FIXED\.recency_ms"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        configured(environment=environment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clock: sun\n", "shop.yaml: clock is 'sun': Input should be 'wall' or 'marks'"),
        ("grace: 1\n", "shop.yaml: grace is 1: there is no such setting; the settings are clock, "),
        ("cuts_fixed: {frequency: [1, 2, 3]}\n", r"shop.yaml: cuts_fixed\.frequency"),
        ("- clock\n", "shop.yaml: it holds a list; it must be a mapping of clock, "),
        ("clock: [\n", "shop.yaml: not valid YAML: "),
        ("flows: [{id: 1}]\n", r"shop.yaml: flows\[0\]"),
    ],
)
def test_a_wrong_file_is_named_with_the_path_in_it(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, "shop.yaml", text)
    with pytest.raises((SettingsError, FlowError), match=said):
        configured(file, environment={})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: No such file"):
        configured(tmp_path / "none.yaml", environment={})


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert configured(written(tmp_path, "shop.yaml", ""), environment={}) == configured(environment={})


def test_flows_come_from_files_and_folders_instead_of_the_products(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    written(folder, "b.yaml", FLOW.format(name="second"))
    written(folder, "a.yaml", FLOW.format(name="first"))
    written(folder, "notes.txt", "none of ours")
    single = written(tmp_path, "c.yaml", FLOW.format(name="third"))
    domain = configured(flows=[folder, single], environment={})
    assert [flow["id"] for flow in domain.flows] == ["first", "second", "third"]


def test_a_wrong_flow_file_is_named_with_the_path_in_it(tmp_path: Path) -> None:
    file = written(tmp_path, "wrong.yaml", FLOW.format(name="x").replace("channel: email", "channel: pigeon"))
    with pytest.raises(FlowError, match=r"wrong\.yaml: channel is 'pigeon'"):
        configured(flows=[file], environment={})


def test_a_folder_without_flows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="no flow files"):
        configured(flows=[tmp_path], environment={})


def test_two_flows_with_one_id_are_an_error(tmp_path: Path) -> None:
    files = [written(tmp_path, name, FLOW.format(name="same")) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(FlowError, match="give each flow its own id"):
        configured(flows=files, environment={})


def test_how_flows_stand_is_not_a_setting_that_one_may_give(tmp_path: Path) -> None:
    file = written(tmp_path, "shop.yaml", "flow_states: {}\n")
    with pytest.raises(SettingsError, match=r"^flow_states is given, but only `touchstream flows publish`"):
        configured(file, environment={})
    with pytest.raises(SettingsError, match=r"^flow_states is given"):
        configured(environment={"TOUCHSTREAM_DOMAIN_FLOW_STATES": "{}"})


def test_flows_are_named_by_files_by_the_settings_and_by_nobody(tmp_path: Path) -> None:
    plain, full = written(tmp_path, "a.yaml", "clock: marks\n"), written(tmp_path, "b.yaml", "flows: []\n")
    assert not names_flows(plain, environment={})
    assert names_flows(full, environment={})
    assert names_flows(plain, [plain], environment={})
    assert names_flows(environment={"TOUCHSTREAM_DOMAIN_FLOWS": "[]"})
