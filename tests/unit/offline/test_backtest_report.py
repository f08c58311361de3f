"""What a backtest shows: the command, its table, JSON and page, over a journal in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from schemas.touchpoint import Consent
from streams.__main__ import app
from streams.flows.language.files import library_documents
from streams.offline.journal_file import write_journal
from tests.support.flows import a_reminder
from tests.support.kept import KeptJournal, KeptWorld
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint, a_view, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path


EVERYBODY = {"holdout_percent": 0, "quiet_hours": None, "caps": {"per_channel_hours": 0, "per_week": 100}}
CART = a_reminder(**EVERYBODY)
BROWSE = {**library_documents("abandoned_browse")[0], **EVERYBODY, "reentry": "always"}
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three days, under the flow of carts: Ann fills one and orders, Bob fills one each day, the others only look."""
    world = KeptWorld(flows=[CART], reporting_time_zone="Europe/Berlin")
    refused = Consent("email", granted=False)
    world.send(a_touchpoint("consent_changed", START_MS, "refuses", consent=refused))
    for day in range(3):
        at_ms = START_MS + day * DAY_MS + HOUR_MS
        world.send(an_add(at_ms, user="bob"), *(an_add(at_ms, user="ann") for _ in range(day == 0)))
        world.send(*(a_view(at_ms, user) for user in ("bob", "refuses", EVIL)))
        world.pass_time(at_ms + 8 * HOUR_MS)
        world.send(*(an_order(at_ms + 9 * HOUR_MS, user="ann") for _ in range(day == 0)))
    world.pass_time(START_MS + 4 * DAY_MS)
    path = tmp_path / "journal.avro"
    assert write_journal(path, KeptJournal(world.journal)) == len(world.journal)
    return path


def backtest(folder: Path, flow: dict[str, Any], journal: Path, *options: str) -> Any:
    file = folder / f"{flow['id']}.yaml"
    file.write_text(yaml.safe_dump(flow), "utf-8")
    return CliRunner().invoke(app, ["backtest", "--flows", str(file), "--file", str(journal), *options])


def figures(folder: Path, flow: dict[str, Any], journal: Path, *options: str) -> Any:
    result = backtest(folder, flow, journal, "--json", str(folder / "found.json"), *options)
    assert result.exit_code == 0, result.output
    return json.loads((folder / "found.json").read_bytes())


def test_messages_are_told_by_flow_day_customer_and_goal(tmp_path: Path, journal: Path) -> None:
    found = figures(tmp_path, CART, journal, "--instead")
    (cart,) = found["flows"]
    assert (cart["flow_id"], cart["sends"], cart["published_sends"], cart["customers"]) == ("abandoned_cart", 4, 4, 2)
    assert cart["days"] == {"2026-01-01": 2, "2026-01-02": 1, "2026-01-03": 1}
    assert (cart["goal"], cart["goals"]) == ("order_completed", 1)
    assert found["fatigue"] == {"1": 1, "3": 1}
    assert (found["begin"], found["end"]) == ("2026-01-01T00:00:00+00:00", "2026-01-05T00:00:00+00:00")
    assert found["changes"]["most"] == []


def test_a_flow_beside_the_published_ones_is_compared_with_them(tmp_path: Path, journal: Path) -> None:
    found = figures(tmp_path, BROWSE, journal)
    by_flow = {flow["flow_id"]: flow for flow in found["flows"]}
    assert {name: (flow["sends"], flow["published_sends"]) for name, flow in by_flow.items()} == {
        "abandoned_browse": (3, 0),
        "abandoned_cart": (4, 4),
    }
    assert [flow["flow_id"] for flow in found["flows"]] == ["abandoned_browse", "abandoned_cart"]
    assert by_flow["abandoned_browse"]["outcomes"]["no_consent"] == 3
    reason = "There is no consent from the customer to messages by email, so none was sent."
    told = {"outcome": "no_consent", "reason": reason, "decisions": 3}
    assert told in by_flow["abandoned_browse"]["reasons"]
    assert found["overlap"] == []
    changes = found["changes"]
    assert (changes["customers_gained"], changes["customers_lost"]) == (1, 0)
    assert changes["most"] == [{"customer": f"u:{EVIL}", "sends": 3, "published_sends": 0}]


def test_customers_whom_two_flows_write_to_are_told(tmp_path: Path, journal: Path) -> None:
    anyhow = {**BROWSE, "needs": {}, "exits": ["ticket_opened"]}
    (overlap,) = figures(tmp_path, anyhow, journal)["overlap"]
    assert overlap == {"flow_id": "abandoned_browse", "other_flow_id": "abandoned_cart", "customers": 1}


def test_without_comparison_nothing_is_said_of_the_published_flows(tmp_path: Path, journal: Path) -> None:
    found = figures(tmp_path, BROWSE, journal, "--no-compare", "--instead")
    assert found["changes"] is None
    assert [(flow["flow_id"], flow["published_sends"]) for flow in found["flows"]] == [("abandoned_browse", None)]


def test_a_period_is_that_of_its_times(tmp_path: Path, journal: Path) -> None:
    found = figures(tmp_path, CART, journal, "--from", "2026-01-02", "--to", "2026-01-02T23:00:00+01:00")
    assert found["sends"] == 1
    assert (found["begin"][:10], found["end"]) == ("2026-01-02", "2026-01-02T22:00:00+00:00")


def test_the_table_says_that_nobody_answered(tmp_path: Path, journal: Path) -> None:
    said = backtest(tmp_path, CART, journal).stdout
    assert "These messages were never sent, so no customer could react to them." in " ".join(said.split())
    assert "abandoned_cart" in said


def test_the_page_escapes_what_customers_are_called(tmp_path: Path, journal: Path) -> None:
    page = tmp_path / "report.html"
    assert backtest(tmp_path, BROWSE, journal, "--html", str(page)).exit_code == 0
    text = page.read_text("utf-8")
    assert EVIL not in text
    assert "u:&lt;script&gt;" in text
    assert "no customer could react" in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "yesterday"), "--from is 'yesterday': write a time in ISO 8601"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "--to must be later than --from"),
        (("--prefix", "shop"), "read the journal from a file or from Kafka"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, journal: Path, options: tuple[str, ...], said: str
) -> None:
    result = backtest(tmp_path, CART, journal, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.avro"
    file.write_bytes(b"no container")
    result = backtest(tmp_path, CART, file)
    assert result.exit_code == 2
    assert "other.avro: is not an Avro object container file" in result.stderr
