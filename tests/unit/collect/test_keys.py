"""The key of a touchpoint: the customer whose it is."""

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
