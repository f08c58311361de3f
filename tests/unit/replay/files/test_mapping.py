"""The description of a column file, and what is said of a wrong one."""

from pathlib import Path

import pytest
import yaml

from streams.replay.files.mapping import MappingError, load_mapping, packaged_mappings, parse_mapping

SHOP = """
about: a shop
source: shop
file: {kind: csv}
time: {column: at}
type: {constant: order_completed}
fields: {user_id: who}
money: {currency: {constant: EUR}}
product: {sku: sku, price: price, quantity: pieces}
orders: {group_by: [order], refunds: {prefix: R}}
"""


def changed(**parts: object) -> str:
    return yaml.safe_dump({**yaml.safe_load(SHOP), **parts})


def test_every_packaged_mapping_can_be_used() -> None:
    assert packaged_mappings() == ("completejourney", "online_retail", "rees46")
    for name in packaged_mappings():
        assert load_mapping(name).source == name


def test_a_mapping_reads_each_column_once() -> None:
    assert parse_mapping(SHOP, "shop").columns == ("at", "who", "sku", "price", "pieces", "order")


def test_an_unknown_mapping_is_answered_with_those_there_are() -> None:
    with pytest.raises(MappingError, match=r"'retail' is unknown; use completejourney, online_retail, rees46"):
        load_mapping("retail")


def test_a_mapping_from_a_file_is_called_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SHOP)
    assert load_mapping(str(path)).source == "shop"
    with pytest.raises(MappingError, match=r"other\.yaml: cannot be read"):
        load_mapping(str(tmp_path / "other.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "shop.yaml: not valid YAML"),
        ("[]", "the whole is []"),
        (changed(colour="red"), "colour is 'red': there is no such key; the keys are about, source, file"),
        (
            changed(orders={"group_by": ["order"], "refunds": {"prefix": "R", "sku": "x"}}),
            "orders.refunds.sku is 'x': there is no such key; the keys are prefix",
        ),
        (changed(time={"column": "at", "zone": "London"}), "time.zone is 'London': 'London' is not an IANA"),
        (changed(type={"constant": "bought"}), "'bought'] is not a type of touchpoint; the types are ad_clicked"),
        (changed(type={"column": "kind", "values": {"v": "product_viewed"}}), "event_id must name the columns"),
        (changed(product={"sku": "sku"}), "either price"),
        (changed(money={"currency": {"constant": "EUR"}, "minor_units": 12}), "money.minor_units is 12"),
        (changed(fields={"user_id": {"column": "who", "constant": "x"}}), "either column or constant"),
        (changed(file={}), "file.kind is missing"),
        (changed(money={"currency": {"constant": "Euro"}}), "'Euro' is no ISO 4217 code such as EUR"),
        (changed(sources="x"), "sources is 'x': there is no such key; did you mean source?; the keys are about"),
        (
            changed(file={"kind": "csv", "delimiters": ";"}),
            "file.delimiters is ';': there is no such key; did you mean delimiter?",
        ),
        (changed(file={"kind": "csv", "delimiter": ";;"}), "delimiter is ';;': give one character, or whitespace"),
        (
            changed(file={"kind": "csv", "encoding": "cp999"}),
            "file.encoding is 'cp999': Input should be 'utf-8', 'utf-16'",
        ),
        (changed(file={"kind": "csv", "decimal": ";"}), "file.decimal is ';': Input should be '.' or ','"),
        (changed(file={"kind": "csv", "columns": ["a", "a"]}), "columns has a name twice"),
        (
            changed(file={"kind": "csv", "columns": ["at", "who"]}),
            "file.columns does not name order, pieces, price, sku",
        ),
        (
            changed(time={"column": "at", "not_before": "01/02/2026"}),
            "time.not_before is '01/02/2026': expected a day such",
        ),
        (changed(time={"column": []}), "time.column is []"),
        (changed(orders={"fill_down": ["at"]}), "fill_down needs group_by"),
        (
            changed(product={"sku": {"column": "a", "otherwise": {}}, "price": "p"}),
            "product.sku.otherwise is {}: give either",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_with_file_path_value_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(text, "shop.yaml")
    assert said in str(error.value)
    assert "shop.yaml" in str(error.value)


def test_a_value_may_have_another_column_where_it_is_empty() -> None:
    mapping = parse_mapping(changed(product={"sku": {"column": "sku", "otherwise": "name"}, "price": "price"}), "shop")
    assert mapping.columns == ("at", "who", "sku", "name", "price", "order")


def test_a_mapping_needs_only_what_it_reads() -> None:
    mapping = parse_mapping(changed(product={"amount": "paid"}, orders={}), "shop")
    assert mapping.columns == ("at", "who", "paid")


def test_paths_into_json_columns_are_columns_of_the_mapping_and_not_of_the_file() -> None:
    text = changed(
        file={"kind": "csv", "json_columns": ["body"]}, fields={"user_id": "body.user.id", "channel": "body"}
    )
    mapping = parse_mapping(text, "shop")
    assert mapping.columns[1:3] == ("body.user.id", "body")
    assert mapping.file_columns == ("at", "body", "sku", "price", "pieces", "order")
    assert [mapping.document_of(name) for name in ("body.user.id", "body", "bodyguard")] == ["body", "body", None]
