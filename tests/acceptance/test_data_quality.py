"""What is wrong with data is said: of files as pandas counts it, of a prefix as alerts, and of sound data nothing."""

from __future__ import annotations

import json

import msgspec
import pandas as pd
import pytest
from typer.testing import CliRunner

from schemas.units import DAY_MS, HOUR_MS, iso_time
from schemas.wire import encode
from streams.__main__ import app
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from tests.support.arrivals import MONDAY_MS
from tests.support.files import real_file
from tests.support.watched_shop import WatchedShop
from tests.support.world import a_touchpoint

pytestmark = pytest.mark.acceptance

NOON_MS = MONDAY_MS + 12 * HOUR_MS
BEFORE = 2_500
"""Orders of the morning."""


def test_the_report_on_online_retail_is_what_pandas_counts() -> None:
    file = real_file("online_retail/2010-12_2011-06.csv.gz")
    shown = CliRunner().invoke(app, ["quality", str(file), "--mapping", "online_retail", "--json"])
    assert shown.exit_code == 0, shown.stderr
    found, lines = json.loads(shown.stdout), pd.read_csv(file)
    assert found["lines"] == len(lines)
    assert found["without_customer"] == lines["CustomerID"].isna().sum()
    assert found["exact_duplicates"] == lines.duplicated().sum()
    assert found["price_zero"] == (lines["UnitPrice"] == 0).sum()
    assert found["quantity_negative"] == (lines["Quantity"] < 0).sum()
    assert found["price_negative"] == (lines["UnitPrice"] < 0).sum() == found["no_number"] == 0


def a_call(number: int, at_ms: int, names: dict[str, str]) -> bytes:
    """An order as Segment sends it, with some of its properties under other names."""
    properties = {
        "order_id": f"o{number}",
        "total": 42.5,
        "currency": "EUR",
        "affiliation": "Web store",
        "products": [{"sku": "mug", "price": 42.5, "quantity": 1}],
    }
    return msgspec.json.encode(
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"m{number}",
            "userId": f"u{number % 50}",
            "timestamp": iso_time(at_ms),
            "properties": {names.get(name, name): value for name, value in properties.items()},
        }
    )


def schema_faults(shop: WatchedShop) -> list[str]:
    return [each.by for each in shop.watch.anomalies if each.kpi == "schema" and each.status == "raised"]


@pytest.mark.parametrize("a_commit", [1, 1_000])
def test_a_field_that_a_producer_renames_at_noon_is_told_within_a_thousand_touchpoints(a_commit: int) -> None:
    """The door lets this field go, so only the record as it was sent has it."""
    shop = WatchedShop()
    for number in range(BEFORE):
        at_ms = NOON_MS + (number - BEFORE) * 1_800
        shop.receive(a_call(number, at_ms, {}), at_ms)
        if number % a_commit == 0:
            shop.pass_time(at_ms)
    shop.pass_time(NOON_MS)
    assert shop.watch.anomalies == []
    for number in range(1_000):
        at_ms = NOON_MS + number * 1_800
        shop.receive(a_call(BEFORE + number, at_ms, {"affiliation": "store_name"}), at_ms)
        if (number + 1) % a_commit == 0:
            shop.pass_time(at_ms)
    assert schema_faults(shop) == [
        "source=segment,type=order_completed,field=properties.affiliation,to=properties.store_name"
    ]


def test_a_canonical_property_that_is_renamed_is_told_too() -> None:
    shop = WatchedShop()
    for number in range(3_000):
        at_ms = NOON_MS + (number - 2_000) * 1_800
        name = "color" if number < 2_000 else "colour"
        event = a_touchpoint("product_viewed", at_ms, f"u{number}", source="app", properties={name: "red"})
        shop.receive(encode(event), at_ms)
        if number % 100 == 99:
            shop.pass_time(at_ms)
    assert schema_faults(shop) == ["source=app,type=product_viewed,field=properties.color,to=properties.colour"]


@pytest.mark.parametrize(
    ("name", "file"),
    [("online_retail", "2010-12_2011-06.csv.gz"), ("rees46", "2019-10-01_first_hours.csv.gz")],
)
def test_untouched_files_raise_nothing(name: str, file: str) -> None:
    mapped = map_files([real_file(f"{name}/{file}")], load_mapping(name))
    events = [each.touchpoint for each in mapped if isinstance(each, MappedTouchpoint)]
    shop = WatchedShop(clock="marks", reporting_time_zone="Europe/London")
    assert len(events) > 5_000
    for event in events[:20_000]:
        hour_ms = event.time_ms - event.time_ms % HOUR_MS
        if hour_ms > shop.now_ms:
            shop.tell(hour_ms)
        shop.note(event, encode(event), event.time_ms)
    shop.tell(events[-1].time_ms + 8 * DAY_MS)
    assert [(each.kpi, each.by, iso_time(each.time_ms)) for each in shop.watch.anomalies] == []
