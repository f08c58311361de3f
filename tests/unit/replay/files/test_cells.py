"""JSON in the cells of a column file."""

from __future__ import annotations

import json

import pytest

from schemas.limits import LINES_MAX
from streams.replay.files.cells import BadDocumentError, Cells
from streams.replay.files.mapping import MappingError, parse_mapping

MAPPING = """
about: orders
source: shop
file: {kind: csv, json_columns: [who, items]}
time: {column: at}
type: {constant: order_completed}
fields: {user_id: who.id, country: who.homes.1.country, channel: who}
money: {currency: {constant: EUR}}
product: {sku: items.lines.sku, price: items.lines.money.price}
properties: {paid: items.paid, tags: items.tags}
orders: {group_by: [order], lines: items.lines}
"""
CELLS = Cells(parse_mapping(MAPPING, "orders"))
NAMES = ("at", "who.id", "who.homes.1.country", "who", "items.lines.sku", "items.lines.money.price", "order")


def read(who: str, items: str) -> list[dict[str, str]]:
    """By the columns of the mapping; the file has at, who, items, order."""
    mapping = parse_mapping(MAPPING, "orders")
    assert mapping.file_columns == ("at", "who", "items", "order")
    return [dict(zip(mapping.columns, row, strict=True)) for row in CELLS.read(("t", who, items, "7"))]


def test_paths_lead_to_texts_and_a_list_makes_the_lines_of_one_order() -> None:
    items = '{"paid": true, "tags": ["a", "ü"], "lines": [{"sku": "m", "money": {"price": 9.50}}, {"sku": 12}]}'
    first, second = read('{"id": 7.0, "homes": [{}, {"country": "DE"}]}', items)
    assert (first["who.id"], first["who.homes.1.country"]) == ("7", "DE")
    assert (first["items.lines.sku"], first["items.lines.money.price"]) == ("m", "9.5")
    assert (second["items.lines.sku"], second["items.lines.money.price"]) == ("12", "")
    assert (first["items.paid"], first["items.tags"]) == ("true", '["a","ü"]')
    assert first["order"] == second["order"] == "7"
    assert {type(text) for text in (*first.values(), *second.values())} == {str}


@pytest.mark.parametrize("who", ["", "null", "{}", "[]", "7", '{"id": null}', '{"homes": {"country": "DE"}}'])
def test_what_is_not_there_is_empty(who: str) -> None:
    (row,) = read(who, '{"lines": [{}]}')
    assert (row["who.id"], row["who.homes.1.country"], row["items.lines.sku"]) == ("", "", "")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("{'lines': []}", "column items: no JSON document; JSON has double quotes"),
        ("lines", "column items: no JSON document"),
        ('{"lines": NaN}', "column items: no JSON document"),
        ('{"lines": []}', "column items.lines: expected a JSON list with the lines of the order"),
        ('{"lines": {"sku": "m"}}', "column items.lines: expected a JSON list"),
        ("", "column items.lines: expected a JSON list"),
        ("[" * 50_000, "column items: nested deeper than 100 levels"),
        (json.dumps({"lines": [0] * (LINES_MAX + 1)}), f"at most {LINES_MAX} are allowed"),
    ],
)
def test_a_cell_that_is_no_such_document_is_named_without_its_value(items: str, said: str) -> None:
    with pytest.raises(BadDocumentError) as error:
        read("{}", items)
    assert said in str(error.value)
    assert "sku" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "text"), [("7", "7"), ("7.10", "7.1"), ("1e3", "1000"), ("-0.50", "-0.5"), ("1e999999", "1e999999")]
)
def test_a_number_is_a_plain_decimal(number: str, text: str) -> None:
    assert read(f'{{"id": {number}}}', '{"lines": [{}]}')[0]["who.id"] == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "lines: items.lines}",
            "lines: goods}",
            "orders.lines is 'goods', which is in none of file.json_columns (who, items)",
        ),
        (
            "{constant: order_completed}",
            "{constant: product_viewed}",
            "orders.lines needs type: {constant: order_completed}",
        ),
    ],
)
def test_lines_that_are_nowhere_are_a_mistake_in_the_mapping(old: str, new: str, said: str) -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(MAPPING.replace(old, new) + "event_id: [order]\n", "orders")
    assert said in str(error.value)
