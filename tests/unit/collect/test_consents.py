"""No withdrawal is lost at the door for how it is written."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import Consent
from schemas.wire import SINGLE_OBJECT, decode, encode
from streams.collect.collector import Collected, collect
from streams.collect.consents import with_statement_read
from streams.collect.refused import RefusedRecord
from streams.settings import DomainSettings
from tests.support.world import START_MS, a_touchpoint

SETTINGS = DomainSettings(clock="marks", touchpoint_partitions=1, journal_partitions=1)


def read(consent: Consent | None, kind: str = "consent_changed") -> Consent | None:
    value = encode(a_touchpoint(kind, START_MS, consent=consent))
    found = collect(value, START_MS, SINGLE_OBJECT, SETTINGS)
    assert isinstance(found, Collected)
    said: Consent | None = decode(found.value).consent
    return said


@pytest.mark.parametrize(
    ("given", "channel", "purpose"),
    [
        ({}, "email", None),
        ({"purpose": ""}, "email", None),
        ({"purpose": "service"}, "email", "service"),
        ({"purpose": " Service "}, "email", "service"),
        ({"purpose": "marketing"}, "email", "promotional"),
        ({"purpose": "x" * 5_000}, "email", "promotional"),
        ({"at_most": 200}, "email", None),
        ({"at_most": -1}, "email", None),
        ({"only_flow": "x" * 5_000}, "email", None),
        ({"channel": " SMS"}, "sms", None),
        ({"channel": "fax"}, "all", "promotional"),
        ({"channel": "", "purpose": "transactional"}, "all", "promotional"),
    ],
)
def test_a_withdrawal_counts_however_it_is_written(given: dict[str, Any], channel: str, purpose: str | None) -> None:
    said = Consent(**{"channel": "email", "granted": False, **given})
    assert read(said) == Consent(channel, granted=False, purpose=purpose)


def test_a_grant_is_read_without_capitals_and_blanks() -> None:
    said = Consent("Email ", granted=True, purpose=" Promotional", at_most=1)
    assert read(said) == Consent("email", granted=True, purpose="promotional", at_most=1)


def test_a_statement_that_says_nothing_of_consent_is_refused() -> None:
    with pytest.raises(RefusedRecord) as refused:
        read(None)
    assert refused.value.reason == "no_consent"


def test_a_statement_as_it_should_be_is_the_same_object_and_other_touchpoints_are_left_alone() -> None:
    event = a_touchpoint("consent_changed", START_MS, consent=Consent("email", granted=False, purpose="service"))
    assert with_statement_read(event, SETTINGS.consent_purposes) is event
    other = a_touchpoint("email_unsubscribed", START_MS, consent=Consent("fax", granted=True, purpose="marketing"))
    assert with_statement_read(other, SETTINGS.consent_purposes) is other
