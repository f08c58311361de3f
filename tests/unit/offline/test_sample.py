"""A sample shows what becomes of each field, by asking the door itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streams.collect.refused import RefusedRecord
from streams.offline.sample import LET_GO, SHOWN_OF_A_TYPE, Count, documents_in, look_at
from tests.support.calls import NOW_MS, SETTINGS, a_call
from tests.support.commands import run

if TYPE_CHECKING:
    from pathlib import Path

ORDER = a_call(
    "Order Completed",
    {"order_id": "o-1", "total": 12.5, "currency": "EUR", "gift": True, "products": [{"sku": "mug", "price": 12.5}]},
    context={"ip": "192.0.2.7", "traits": {"email": "ann@example.org"}, "campaign": {"medium": "cpc"}},
)


def fields(*documents: Any, door: str | None = None) -> dict[str, str]:
    return {each.path: each.becomes for each in look_at(documents, "web", door, NOW_MS + 1_000, SETTINGS).fields}


def test_each_field_says_what_it_becomes() -> None:
    found = fields(ORDER)
    assert found == {
        "context.campaign.medium": "channel, marketing.utm_medium",
        "context.ip": LET_GO,
        "context.traits.email": "email_hash",
        "event": "type, needed: without it unknown_type",
        "messageId": "event_id, needed: without it no_event_id",
        "properties.currency": "checked by the door",
        "properties.gift": LET_GO,
        "properties.order_id": "order.order_id, needed: without it no_order",
        "properties.products[].price": "products.price_minor",
        "properties.products[].sku": "products, products.sku, property lines_left_out, which the type reads",
        "properties.total": "order.total_minor",
        "timestamp": "time_ms",
        "type": "needed: without it unknown_type",
        "userId": "user_id",
    } | {name: found[name] for name in ("properties.products[].sku", "userId")}
    assert found["properties.products[].sku"].startswith("products")
    assert found["userId"].startswith("user_id")


def test_it_holds_for_every_door() -> None:
    ours = {"event_id": "1", "type": "page_viewed", "time_ms": NOW_MS, "user_id": "7", "properties": {"colour": "red"}}
    assert fields(ours)["properties.colour"] == "attribute of the event: colour"
    assert fields(ours, door="touchpoint")["time_ms"].startswith("time_ms")


def test_types_are_counted_and_what_is_refused_has_its_reason() -> None:
    bad = a_call("Order Completed", {"order_id": "o-2"})
    found = look_at([ORDER, bad, ORDER, a_call("Quiz Finished"), 7], "web", None, NOW_MS, SETTINGS)
    assert found.records == 5
    assert found.types == {
        "track Order Completed -> order_completed": Count(2),
        "track Order Completed -> refused": Count(0, 1),
        "track Quiz Finished -> custom 'Quiz Finished'": Count(1),
        "no object -> refused": Count(0, 1),
    }
    assert [(each.record, each.reason) for each in found.refused] == [(2, "no_amount"), (5, "malformed")]


def test_only_some_records_of_a_type_are_looked_at_by_field() -> None:
    calls = [a_call("x", {f"field {number}": 1}) for number in range(SHOWN_OF_A_TYPE + 1)]
    found = fields(*calls)
    assert f"properties.field {SHOWN_OF_A_TYPE - 1}" in found
    assert f"properties.field {SHOWN_OF_A_TYPE}" not in found


@pytest.mark.parametrize(
    "raw",
    [
        "\n".join([json.dumps(ORDER), "", json.dumps(ORDER)]),
        json.dumps([ORDER, ORDER]),
        json.dumps([ORDER, ORDER], indent=2),
        json.dumps({"batch": [ORDER, ORDER]}),
        "\ufeff" + json.dumps([ORDER, ORDER]),
    ],
)
def test_a_sample_may_be_lines_a_list_or_a_batch(raw: str) -> None:
    assert documents_in(raw.encode()) == [ORDER, ORDER]


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(RefusedRecord, match="line 3: the record is not valid JSON"):
        documents_in(b'{"a": 1}\n\n{"a": \n')


def test_the_command_ends_with_1_where_anything_is_refused(tmp_path: Path) -> None:
    good, bad, table = tmp_path / "good.json", tmp_path / "bad.jsonl", tmp_path / "table.csv"
    good.write_text(json.dumps(ORDER))
    bad.write_text(json.dumps(ORDER) + "\n" + json.dumps(a_call("Order Completed")) + "\n")
    done = run("mapping", "test", str(good), "--source", "web")
    assert (done.exit_code, "order.total_minor" in done.stdout) == (0, True), done.output
    done = run("mapping", "test", str(bad), "--source", "web")
    assert (done.exit_code, "record 2: no_order: properties.order_id" in done.stdout) == (1, True), done.output
    done = run("mapping", "test", str(bad), "--source", "web", "--json")
    assert json.loads(done.stdout)["refused"][0]["record"] == 2
    done = run("mapping", "test", str(good), "--source", "web", "--door", "shopfy")
    assert done.exit_code == 2
    assert "allowed are segment, cloudevents" in done.output
    assert run("mapping", "test", str(table), "--source", "web").exit_code == 2
    table.write_text("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,mug\n")
    done = run("mapping", "test", str(table), "--source", "till", "--mapping", "online_retail")
    assert (done.exit_code, "bad_columns" in done.stdout) == (1, True), done.output
