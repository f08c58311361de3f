"""Calls that no producer should send cost a dead letter and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.limits import LINES_KEPT, LINES_MAX, NESTING_MAX
from schemas.touchpoint import (
    BOUNCE_TYPE,
    COMPLAINT,
    CUSTOM,
    IDENTITY_LINKED,
    IDENTITY_UNLINKED,
    LINES_LEFT_OUT,
    PREVIOUS_ID,
    Consent,
)
from streams.collect.addresses import address_hash
from streams.collect.checks import checked
from streams.collect.refused import RefusedRecord
from tests.support.calls import touchpoint_of
from tests.support.world import START_MS

TRACK = (
    b'{"type":"track","event":"Product Viewed","messageId":"m-1","timestamp":"2026-03-02T10:00:00Z",'
    b'"properties":{"sku":"s-1","more":%s}}'
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"1" + b"]" * depth


@pytest.mark.parametrize("depth", [NESTING_MAX - 1, NESTING_MAX, 1_000, 5_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"{", b"}"), (b"[", b"]"), (b'{"properties":[', b"]}")])
def test_json_that_is_nested_too_deeply_is_malformed(opening: bytes, closing: bytes, depth: int) -> None:
    names = b'"properties":' if opening == b"{" else b""
    text = b'{"properties":[' + (opening + names) * depth + b"1" + closing * depth + b"]}"
    with pytest.raises(RefusedRecord) as refused:
        touchpoint_of(text)
    assert refused.value.reason == "malformed"
    assert str(NESTING_MAX) in refused.value.detail


def test_json_that_is_nested_as_deeply_as_allowed_is_taken() -> None:
    assert touchpoint_of(TRACK % nested(NESTING_MAX - 2)).event_id == "m-1"


def test_brackets_in_texts_are_no_nesting() -> None:
    assert touchpoint_of(TRACK % (b'"' + b"[" * 5_000 + b'"')).event_id == "m-1"


def an_order_of(lines: int) -> bytes:
    products = b",".join(b'{"sku":"s-%d","price":1}' % number for number in range(lines))
    return (
        b'{"type":"track","event":"Order Completed","messageId":"m-1","userId":"7","timestamp":"2026-03-02T10:00:00Z",'
        b'"properties":{"order_id":"o-1","total":%d,"products":[%s]}}' % (lines, products)
    )


def test_an_order_of_many_lines_keeps_the_first_and_its_total() -> None:
    event = touchpoint_of(an_order_of(1_115))
    assert event.order is not None
    assert event.order.total_minor == 111_500
    assert [line.sku for line in event.products] == [f"s-{number}" for number in range(LINES_KEPT)]
    assert event.properties == {LINES_LEFT_OUT: "915"}
    assert checked(event, event.time_ms) is event


def test_more_lines_than_are_read_are_too_many() -> None:
    with pytest.raises(RefusedRecord) as refused:
        touchpoint_of(an_order_of(LINES_MAX + 1))
    assert refused.value.reason == "too_many"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (b'"type":"%s"' % (b"x" * 800_000), "unknown_type"),
        (
            b'"type":"track","timestamp":"2026-01-01T00:00:00Z","messageId":"m","event":"%s"' % (b"x" * 800_000),
            "too_long",
        ),
        (b'"type":"page","timestamp":"%s"' % (b"2" * 800_000), "malformed"),
        (b'"type":"page","timestamp":%s' % (b"9" * 5_000), "malformed"),
        (b'"type":"page","timestamp":"2026-03-02T10:00:00Z","userId":"\\ud800"', "malformed"),
    ],
    ids=["type", "event", "time", "a number of 5,000 digits", "half a character"],
)
def test_what_is_wrong_is_said_in_few_words_whatever_was_sent(field: bytes, reason: str) -> None:
    with pytest.raises(RefusedRecord) as refused:
        checked(touchpoint_of(b"{%s}" % field), START_MS)
    assert refused.value.reason == reason
    assert len(refused.value.detail) < 250


@pytest.mark.parametrize("email", [b"ann@x.de", b" Ann@X.de ", b"Ann <ann@x.de>", b"mailto:ann@x.de", b"ann%40x.de"])
def test_an_email_is_hashed_without_what_is_around_it(email: bytes) -> None:
    call = b'{"type":"page","timestamp":"2026-03-02T10:00:00Z","traits":{"email":"%s"}}' % email
    assert touchpoint_of(call).email_hash == address_hash("ann@x.de")


def a_call(kind: str, fields: str) -> bytes:
    return f'{{"type":"{kind}","messageId":"m-1","timestamp":"2026-03-02T10:00:00Z",{fields}}}'.encode()


def test_an_alias_call_names_two_user_ids() -> None:
    found = touchpoint_of(a_call("alias", '"userId":"7","previousId":"8"'))
    assert (found.type, found.user_id, found.properties) == (IDENTITY_LINKED, "7", {PREVIOUS_ID: "8"})


def test_an_alias_call_whose_previous_id_is_its_device_links_the_device() -> None:
    found = touchpoint_of(a_call("alias", '"userId":"7","anonymousId":"phone","previousId":"phone"'))
    assert (found.type, found.user_id, found.anonymous_id, found.properties) == (IDENTITY_LINKED, "7", "phone", {})


def test_only_an_event_that_the_settings_name_is_a_logout() -> None:
    call = a_call("track", '"event":"Signed OUT","userId":"7","anonymousId":"tablet"')
    assert touchpoint_of(call).type == IDENTITY_UNLINKED
    event = touchpoint_of(call, logout_events={})
    assert (event.type, event.name) == (CUSTOM, "Signed OUT")


@pytest.mark.parametrize(
    ("user", "previous"),
    [("7", "undefined"), ("7", " NULL "), ("guest", "7"), ("", "7"), ("7", ""), ("7", "Unknown"), ("{{user_id}}", "7")],
)
def test_an_alias_with_the_id_of_nobody_is_refused(user: str, previous: str) -> None:
    """Else it would make one customer of all who were linked to it."""
    event = touchpoint_of(a_call("alias", f'"userId":"{user}","anonymousId":"phone","previousId":"{previous}"'))
    if not previous:
        assert event.properties == {}
        return
    with pytest.raises(RefusedRecord, match="nobody"):
        checked(event, event.time_ms)


def test_an_alias_with_a_longer_id_than_others_may_have_is_refused() -> None:
    event = touchpoint_of(a_call("alias", '"userId":"7","previousId":"%s"' % ("é" * 257)))
    with pytest.raises(RefusedRecord, match="previous_id has more than 512 bytes"):
        checked(event, event.time_ms)


def a_track(event: str, **properties: object) -> bytes:
    call = {"type": "track", "event": event, "messageId": "m-1", "userId": "7", "timestamp": "2026-03-02T10:00:00Z"}
    return json.dumps({**call, "properties": properties}).encode()


def test_a_report_of_spam_is_an_unsubscribe_that_says_so() -> None:
    event = touchpoint_of(a_track("Email Marked as Spam", email_id="x"))
    assert (event.type, event.properties) == ("email_unsubscribed", {COMPLAINT: "spam"})
    assert touchpoint_of(a_track("Unsubscribed")).properties == {}


@pytest.mark.parametrize("name", ["bounce_type", "bounceType", "bounce_classification", "type"])
def test_a_bounce_says_of_what_kind_it_is(name: str) -> None:
    event = touchpoint_of(a_track("Email Bounced", **{name: "soft"}))
    assert (event.type, event.properties) == ("email_bounced", {BOUNCE_TYPE: "soft"})
    assert touchpoint_of(a_track("Email Bounced", **{name: 5})).properties == {}


def test_a_statement_of_consent_has_its_purpose_and_its_limits() -> None:
    given = {"channel": "email", "granted": True}
    assert touchpoint_of(a_track("Consent Changed", **given)).consent == Consent("email", granted=True)
    limited = touchpoint_of(a_track("Consent Changed", **given, purpose="service", at_most=1, only_flow="welcome"))
    assert limited.consent == Consent("email", granted=True, purpose="service", at_most=1, only_flow="welcome")


@pytest.mark.parametrize("given", [{"at_most": "never"}, {"channel": None}, {"purpose": 7}])
def test_a_withdrawal_is_read_however_its_fields_are_filled(given: dict[str, Any]) -> None:
    said = {"channel": "email", "granted": False, **given}
    consent = touchpoint_of(a_track("Consent Changed", **said)).consent
    assert consent is not None
    assert not consent.granted


def test_the_address_that_an_event_names_itself_goes_before_that_of_the_caller() -> None:
    call = json.loads(a_track("Unsubscribed", email="old@x.org"))
    call["context"] = {"traits": {"email": "new@x.org"}}
    assert touchpoint_of(json.dumps(call).encode()).email_hash == address_hash("old@x.org")
    del call["properties"]["email"]
    assert touchpoint_of(json.dumps(call).encode()).email_hash == address_hash("new@x.org")


BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("event", "context", "who"),
    [
        ("Product Viewed", {"userAgent": BROWSER}, "person"),
        ("Product Viewed", {"userAgent": "Googlebot/2.1"}, "scanner"),
        ("Email Opened", {"userAgent": "Mozilla/5.0"}, "prefetch"),
        ("Product Viewed", {}, None),
        # what the HTTP server found out goes first
        ("Product Viewed", {"userAgent": BROWSER, "agent": "prefetch"}, "prefetch"),
        ("Product Viewed", {"userAgent": BROWSER, "agent": "a robot"}, "person"),
        ("Product Viewed", {"userAgent": [BROWSER], "agent": ["person"]}, None),
        # a server that reports an event of the shop's own is no crawler
        ("Points Expired", {"userAgent": "python-requests/2.32.3"}, None),
        ("Points Expired", {"agent": "scanner"}, "scanner"),
    ],
)
def test_a_call_says_who_called(event: str, context: dict[str, Any], who: str | None) -> None:
    call = {
        "type": "track",
        "event": event,
        "messageId": "m",
        "userId": "7",
        "context": context,
        "timestamp": "2026-01-01T00:00:00Z",
    }
    assert touchpoint_of(call).agent == who
