"""Of a page's address stays what names the page and the campaign, and nothing of the customer."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import Marketing, Page
from streams.collect.pages import campaign_in, page_of
from tests.support.calls import a_call, touchpoint_of


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "https://shop.example/a/b?q=ann@x.de&utm_source=Google&token=1#top",
            "https://shop.example/a/b?utm_source=Google",
        ),
        ("https://ann:secret@shop.example/", "https://shop.example/"),
        ("http://shop.example?gclid=x&fbclid=y", "http://shop.example?gclid=x&fbclid=y"),
        ("android-app://com.example/", "android-app://com.example/"),
        ("/cart?utm_source=x", None),
        ("javascript:alert(1)", None),
        ("$direct", None),
        ("https://[::1", None),
        ("", None),
        (7, None),
        (["https://shop.example/"], None),
    ],
)
def test_an_address_is_kept_without_what_is_nobodys_business(url: Any, kept: str | None) -> None:
    assert page_of(url, None) == (Page(kept) if kept else None)
    assert page_of(None, url) == (Page(None, kept) if kept else None)


def test_a_long_address_is_cut() -> None:
    for path in ("a" * 900_000, "é" * 5_000, "/" * 5_000):
        page = page_of(f"https://shop.example/{path}?utm_source=x", None)
        assert page is not None
        assert page.url is not None
        assert 100 < len(page.url.encode()) <= 512


def test_the_address_fills_the_campaign_where_the_call_has_none() -> None:
    url = "https://shop.example/?utm_source=News&utm_medium=Email&utm_campaign=May&utm_id=7&gclid=g-1"
    page = {"page": {"url": url, "referrer": "https://search.example/?q=ann"}}
    event = touchpoint_of(a_call("x", context=page))
    assert event.marketing == Marketing("7", "g-1", "News", "Email", "May")
    assert (event.channel, event.page) == ("Email", Page(url, "https://search.example/"))
    event = touchpoint_of(a_call("x", context={**page, "campaign": {"medium": "cpc"}}))
    assert (event.marketing, event.channel) == (Marketing(click_id="g-1", utm_medium="cpc"), "cpc")


def test_a_page_call_names_its_page_itself() -> None:
    call = a_call("", {"url": "https://shop.example/?utm_medium=cpc", "referrer": "https://a.example/"}, type="page")
    event = touchpoint_of({**call, "name": "Home", "category": "Docs"})
    assert (event.page, event.channel) == (Page("https://shop.example/?utm_medium=cpc", "https://a.example/"), "cpc")


def test_the_parameters_of_an_address_are_few() -> None:
    assert campaign_in("https://a.example/?" + "&".join(["x=1"] * 200) + "&utm_source=y") == {}
    assert campaign_in("https://a.example/?UTM_Source=a&utm_source=b") == {"utm_source": "a"}
    assert len(campaign_in("https://a.example/?utm_source=" + "y" * 3_000)["utm_source"]) == 256
