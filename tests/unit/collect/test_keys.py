"""The key of a touchpoint: the customer whose it is."""

import pytest

from schemas.touchpoint import Order, Spend, Touchpoint
from streams.collect.keys import key_of


def test_the_user_comes_before_the_device_the_order_the_channel_and_the_address() -> None:
    whole = {
        "user_id": "üser",
        "anonymous_id": "d1",
        "order": Order("7", "EUR", 5),
        "spend": Spend("EUR", 5),
        "email_hash": "f0",
    }
    expected = ["u:üser", "a:d1", "o:7", "s:search", "e:f0"]
    for key in expected:
        touchpoint = Touchpoint(event_id="1", type="page_viewed", time_ms=0, channel="search", **whole)  # type: ignore[arg-type]
        assert key_of(touchpoint) == key.encode()
        whole.pop(next(iter(whole)))


def test_nobody_has_no_key_and_an_empty_id_is_nobody() -> None:
    assert key_of(Touchpoint(event_id="1", type="page_viewed", time_ms=0, channel="search")) is None
    assert key_of(Touchpoint(event_id="1", type="page_viewed", time_ms=0, user_id="", anonymous_id="d")) == b"a:d"


@pytest.mark.parametrize("kind", ["consent_changed", "email_unsubscribed", "email_bounced"])
def test_what_is_about_an_address_belongs_to_it_and_not_to_an_order_that_it_names(kind: str) -> None:
    given = {"event_id": "1", "type": kind, "time_ms": 0, "email_hash": "f0", "order": Order("7", "EUR", 5)}
    assert key_of(Touchpoint(**given)) == b"e:f0"  # type: ignore[arg-type]
    assert key_of(Touchpoint(**given, anonymous_id="d")) == b"a:d"  # type: ignore[arg-type]
