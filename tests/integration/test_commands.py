"""A shop is generated, replayed through a worker, verified and explained, by the commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from schemas.outputs import SegmentChanged, Trigger
from schemas.wire import decode, encode
from streams.__main__ import app
from streams.demo.worker import Worker, wait_until_idle
from streams.flows.language.files import LIBRARY, flow_files, load_flow
from streams.operations.prefix import Prefix, open_prefix
from streams.worker_settings import parse_worker
from tests.support.producing import produce

if TYPE_CHECKING:
    from pathlib import Path

SHOP = ("--days", "9", "--orders-per-hour", "6", "--customers", "200", "--seed", "4")


class Run:
    """Commands on one prefix."""

    def __init__(self, brokers: str) -> None:
        self.variables = {
            "TOUCHSTREAM_BROKERS": brokers,
            "TOUCHSTREAM_PREFIX": f"commands-{uuid4().hex[:8]}",
            "TOUCHSTREAM_DOMAIN_CONSENT_DEFAULT": "granted",
            "TOUCHSTREAM_DOMAIN_REPORTING_TIME_ZONE": "Europe/Berlin",
            "TOUCHSTREAM_DOMAIN_PANEL_ROWS_MIN": "20",
        }

    def __call__(self, *arguments: str, clock: str = "marks") -> Any:
        variables = {**self.variables, "TOUCHSTREAM_DOMAIN_CLOCK": clock}
        return CliRunner().invoke(app, list(arguments), env=variables)


@pytest.fixture(scope="module")
def run(kafka: str) -> Run:
    return Run(kafka)


@pytest.fixture(scope="module")
def shop(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("shop") / "shop.avro"
    assert run("generate", str(file), *SHOP).exit_code == 0
    return file


@pytest.fixture(scope="module")
def replayed(run: Run, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    """The prefix after the replay, with all flows of the product; its worker has been stopped and left in order."""
    assert run("topics", "create", "--flows", str(LIBRARY)).exit_code == 0
    prefix = open_prefix(parse_worker(run.variables))
    with Worker(prefix.settings, tmp_path_factory.mktemp("worker")) as worker:
        result = run("replay", str(shop), "--json")
        assert result.exit_code == 0, result.stderr
        wait_until_idle(prefix.settings, prefix.domain)
        worker.stop()
        assert worker.exit_code == 0
    account = json.loads(result.stdout)["files"]["shop.avro"]
    assert account["in_orders"] == account["touchpoints"]["order_completed"] > 0
    return prefix


def first(prefix: Prefix, topic: str, kind: type[Any]) -> Any:
    for partition in range(prefix.domain.journal_partitions):
        for message in prefix.read(topic, partition):
            record = decode(message.value() or b"")
            assert isinstance(record, kind)
            return record
    raise AssertionError(f"{topic} is empty")


@pytest.mark.usefixtures("replayed")
def test_the_journal_folded_again_makes_what_the_topics_hold(run: Run) -> None:
    result = run("verify", "--twice")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("second time: the same") == 6
    assert result.stdout.splitlines()[-1].endswith("records of the journal read: no difference")


@pytest.mark.usefixtures("replayed")
def test_what_was_verified_is_not_folded_again(run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "checkpoints")
    first, second = run("verify", "--checkpoints", folder), run("verify", "--checkpoints", folder)
    assert first.exit_code == second.exit_code == 0, second.output
    assert second.stdout.splitlines()[-1] == "0 records of the journal read: no difference"
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4
    refused = run("verify", "--checkpoints", folder, "--twice")
    assert (refused.exit_code, "--twice and --checkpoints" in refused.stderr) == (2, True)


@pytest.mark.usefixtures("replayed")
def test_flows_are_tried_on_the_journal_of_the_brokers_and_on_its_file_alike(run: Run, tmp_path: Path) -> None:
    journal, of_file, of_brokers = (tmp_path / name for name in ("journal.avro", "file.json", "brokers.json"))
    exported = run("journal", "export", str(journal))
    assert exported.exit_code == 0, exported.output
    for source, found in ((["--file", str(journal)], of_file), ([], of_brokers)):
        tried = run("backtest", "--flows", str(LIBRARY / "abandoned_cart.yaml"), *source, "--json", str(found))
        assert tried.exit_code == 0, tried.output
    report = json.loads(of_file.read_bytes())
    assert report == json.loads(of_brokers.read_bytes())
    # the same flows as are published
    assert report["sends"] > 0
    assert all(flow["sends"] == flow["published_sends"] for flow in report["flows"])


def test_a_customer_is_explained(run: Run, replayed: Prefix) -> None:
    trigger = first(replayed, "triggers", Trigger)
    result = run("explain", trigger.customer)
    assert result.exit_code == 0, result.output
    assert trigger.reason in result.stdout
    assert f"{trigger.flow_id} v{trigger.flow_version} {trigger.step}: sent." in result.stdout
    way = run("explain", trigger.customer, "--flow", trigger.flow_id)
    assert f"v{trigger.flow_version} {trigger.step} was sent. {trigger.reason} By {trigger.channel}" in way.stdout
    assert "Messages sent: " in way.stdout.splitlines()[-1]
    never = run("explain", trigger.customer, "--flow", "never_published")
    assert (never.exit_code, never.stdout.count("has no decision of flow never_published")) == (1, 1)


def test_a_customer_is_explained_under_the_cuts_that_were_used(run: Run, replayed: Prefix) -> None:
    changes = (
        decode(message.value() or b"")
        for partition in range(replayed.domain.journal_partitions)
        for message in replayed.read("segments", partition)
    )
    change = next(change for change in changes if isinstance(change, SegmentChanged) and change.cuts_version)
    explained = json.loads(run("explain", change.customer, "--json").stdout)
    sentence = next(
        each["sentence"] for each in explained["segments"] if each["change"]["change_id"] == change.change_id
    )
    assert f"under {change.cuts_version}. That means: last order" in sentence
    assert explained["profile"]["customer"] == change.customer
    assert any(f"These boundaries are {explained['profile']['cuts_version']}" in why for why in explained["why"])


def test_flows_of_several_kinds_have_decided(replayed: Prefix) -> None:
    decided = [
        decode(message.value() or b"")
        for partition in range(replayed.domain.journal_partitions)
        for message in replayed.read("decisions", partition)
    ]
    sent = {decision.flow_id for decision in decided if decision.outcome == "sent"}
    assert {"abandoned_browse", "abandoned_cart"} < sent
    assert {"deferred", "capped", "exited", "held_out"} < {decision.outcome for decision in decided}
    entered = sum(decision.outcome in {"entered", "too_old"} for decision in decided)
    final = sum(decision.final for decision in decided)
    assert 0 < final <= entered


@pytest.mark.usefixtures("replayed")
def test_files_are_compared_with_what_is_published(run: Run, tmp_path: Path) -> None:
    same = run("flows", "diff")
    assert (same.exit_code, same.stdout) == (
        0,
        f"prefix {run.variables['TOUCHSTREAM_PREFIX']}: no difference to these files\n",
    )
    for file in flow_files(LIBRARY):
        text = file.read_text(encoding="utf-8").replace("priority: 40", "priority: 41")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    changed = run("flows", "diff", str(tmp_path))
    assert (changed.exit_code, changed.stdout.splitlines()) == (
        1,
        [
            "abandoned_browse: priority: 40 would become 41",
            "abandoned_browse: version stays 3: raise it, as each change needs its own version",
        ],
    )


@pytest.mark.usefixtures("replayed")
def test_an_unknown_customer_is_told_with_exit_code_1(run: Run) -> None:
    result = run("explain", "nobody")
    assert (result.exit_code, "there is no such customer" in result.stdout) == (1, True)


@pytest.mark.usefixtures("replayed")
def test_a_past_that_is_over_is_not_replayed_again(run: Run, shop: Path) -> None:
    result = run("replay", str(shop))
    assert result.exit_code == 2
    assert "but its time is already" in result.stderr
    assert "use another prefix, or later touchpoints" in result.stderr


def test_a_prefix_with_the_brokers_clock_takes_no_replay(run: Run, shop: Path) -> None:
    prefix = f"wall-{uuid4().hex[:8]}"
    assert run("topics", "create", "--prefix", prefix, clock="wall").exit_code == 0
    result = run("replay", str(shop), "--prefix", prefix)
    assert result.exit_code == 2
    assert "its clock is 'wall', but a replay needs a prefix with the clock 'marks'" in result.stderr


def test_a_trigger_that_the_journal_does_not_make_is_found(run: Run, replayed: Prefix) -> None:
    trigger = first(replayed, "triggers", Trigger)
    topic, key = f"{replayed.settings.prefix}.triggers", trigger.customer.encode()
    produce(replayed.settings.brokers, topic, encode(trigger), key)
    result = run("verify")
    assert result.exit_code == 1
    assert trigger.trigger_id in result.stdout
    assert "read: 1 differences" in result.stdout


def test_flows_are_published_paused_resumed_and_listed(run: Run, tmp_path: Path) -> None:
    prefix = ("--prefix", f"flows-{uuid4().hex[:8]}")
    assert run("topics", "create", *prefix).exit_code == 0
    file = tmp_path / "abandoned_cart.yaml"
    text = (LIBRARY / file.name).read_text(encoding="utf-8")
    file.write_text(text.replace("priority: 70", "priority: 71"), encoding="utf-8")
    refused = run("flows", "publish", str(file), *prefix)
    assert (refused.exit_code, "was published with another text" in refused.stderr) == (2, True)
    live = load_flow(file).version
    file.write_text(file.read_text("utf-8").replace(f"version: {live}", f"version: {live + 1}"), encoding="utf-8")
    said = run("flows", "publish", str(file), "--percent", "10", *prefix).stdout
    assert f"abandoned_cart v{live + 1}: for 10 % of the customers since 20" in said
    assert "abandoned_cart: paused since 20" in run("flows", "pause", "abandoned_cart", *prefix).stdout
    assert "unchanged" in run("flows", "pause", "abandoned_cart", *prefix).stdout
    assert "paused" not in run("flows", "resume", "abandoned_cart", *prefix).stdout
    assert "all flows: paused since 20" in run("flows", "pause", "--all", *prefix).stdout
    assert "all flows: paused since 20" in run("flows", "list", *prefix).stdout
    assert run("flows", "resume", "--all", *prefix).stdout.splitlines()[1:] == ["all flows: not paused together"]
    for wrong in (("pause",), ("resume",), ("pause", "abandoned_cart", "--all")):
        refused = run("flows", *wrong, *prefix)
        assert (refused.exit_code, "--all" in refused.stderr) == (2, True)
    assert run("flows", "publish", str(file), *prefix).exit_code == 0
    assert run("topics", "create", *prefix).stdout.endswith("settings unchanged, flows: abandoned_cart\n")
    listed = run("flows", "list", *prefix).stdout.splitlines()
    assert [line.split(" since")[0] for line in listed] == [f"abandoned_cart v{live + 1}: live"]


def test_flows_that_would_fight_are_published_on_request_only(run: Run, tmp_path: Path) -> None:
    prefix = ("--prefix", f"flows-{uuid4().hex[:8]}")
    assert run("topics", "create", *prefix).exit_code == 0
    file = tmp_path / "rival.yaml"
    text = (LIBRARY / "abandoned_cart.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("id: abandoned_cart", "id: rival"), encoding="utf-8")
    refused = run("flows", "publish", str(file), *prefix)
    assert (refused.exit_code, "for the same customers (same_audience)" in refused.stderr) == (2, True)
    assert run("flows", "publish", str(file), "--percent", "0", *prefix).exit_code == 0
    assert run("flows", "publish", str(file), "--allow-conflicts", *prefix).exit_code == 0
    told = run("flows", "list", *prefix).stdout
    assert f"rival v{load_flow(file).version}: live since 20" in told
    assert "; relies on order_completed, product_added\n" in told


def test_a_flow_about_absence_is_listed_with_the_history_that_it_needs(run: Run) -> None:
    prefix = ("--prefix", f"flows-{uuid4().hex[:8]}")
    assert run("topics", "create", *prefix).exit_code == 0
    assert run("flows", "publish", str(LIBRARY / "win_back.yaml"), *prefix).exit_code == 0
    (line,) = [each for each in run("flows", "list", *prefix).stdout.splitlines() if each.startswith("win_back")]
    assert line.endswith("; relies on order_completed; needs a shop with a history of 180d")
