"""What can be written in two ways counts as one."""

from __future__ import annotations

import msgspec
import pytest

from schemas.limits import LINES_KEPT
from schemas.touchpoint import Marketing, Order, Product, Spend
from streams.collect.checks import checked
from streams.collect.refused import RefusedRecord
from streams.collect.tidying import tidied
from tests.support.calls import a_call, touchpoint_of
from tests.support.world import START_MS, a_touchpoint, an_order


@pytest.mark.parametrize(("text", "expected"), [("CPC", "cpc"), (" cpc ", "cpc"), ("E-Mail", "e-mail"), ("  ", None)])
def test_a_channel_and_utm_values_are_in_small_letters(text: str, expected: str | None) -> None:
    utm = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
    marketing = Marketing(campaign_id=text, click_id=text, **dict.fromkeys(utm, text))
    found = tidied(a_touchpoint("page_viewed", START_MS, channel=text, marketing=marketing))
    assert found.channel == expected
    assert found.marketing == Marketing(campaign_id=text, click_id=text, **dict.fromkeys(utm, expected))


@pytest.mark.parametrize("currency", ["usd", " Usd", "USD\n"])
def test_a_currency_is_in_capitals(currency: str) -> None:
    spend = a_touchpoint("spend_recorded", START_MS, channel="ads", spend=Spend(currency, 1))
    order = a_touchpoint("order_completed", START_MS, order=Order("o", currency, 1))
    for event in (spend, order):
        part = checked(event, START_MS).spend or checked(event, START_MS).order
        assert part is not None
        assert part.currency == "USD"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("europe/berlin", "Europe/Berlin"), (" UTC", "UTC"), ("localtime", "localtime"), ("Nowhere", "Nowhere")],
)
def test_a_time_zone_has_its_own_name(zone: str, expected: str) -> None:
    """What is none is left to the fold, where the shop's own holds."""
    assert tidied(a_touchpoint("page_viewed", START_MS, time_zone=zone)).time_zone == expected


@pytest.mark.parametrize("line", [Product("voucher", -750, 1), Product("ring", 100, -1)])
def test_a_line_that_takes_off_is_no_article_and_its_order_counts(line: Product) -> None:
    mug = Product("mug", 5_000, 1)
    found = checked(an_order(START_MS, 4_250, products=(mug, line)), START_MS)
    assert found.products == (mug,)
    assert found.order is not None
    assert found.order.total_minor == 4_250


@pytest.mark.parametrize("line", [Product("mug", -1, 1), Product("mug", 1, -1)])
def test_what_is_about_one_article_must_have_it(line: Product) -> None:
    with pytest.raises(RefusedRecord) as refused:
        checked(a_touchpoint("product_added", START_MS, products=(line,)), START_MS)
    assert refused.value.reason == "amount_out_of_range"
    with pytest.raises(RefusedRecord, match=r"properties\.price"):
        touchpoint_of(a_call("Product Added", {"sku": "mug", "price": line.price_minor, "quantity": line.quantity}))
    assert touchpoint_of(a_call("Wallet Debited", {"sku": "mug", "price": -1})).type == "custom"


def test_an_article_that_moves_up_in_the_place_of_a_voucher_is_checked_as_well() -> None:
    lines = (Product("voucher", -1, 1), *[Product("mug", 1, 1)] * (LINES_KEPT - 1), Product("x" * 10_000, 1, 1))
    with pytest.raises(Exception, match=r"products\.sku has 10000 characters"):
        checked(an_order(START_MS, products=lines), START_MS)


def test_what_is_tidy_stays_the_same_object() -> None:
    event = an_order(START_MS, products=(Product("mug", 1, 1),))
    event = msgspec.structs.replace(event, channel="cpc", marketing=Marketing(utm_medium="cpc"), time_zone="UTC")
    assert tidied(event) is event
