"""On which statement a decision rests, in words, and which decision sent a message."""

from __future__ import annotations

import msgspec
import pytest

from schemas.outputs import Decision, Trigger
from streams.operations.consent import decision_of, masked_address, rests_on
from streams.profiles.effects import derived_id

DECISION = Decision(
    "c", "u:1", "news", 1, "hello", "treatment", "sent", final=True, reason="Due.", cause="e", time_ms=7
)
TRIGGER = Trigger(
    trigger_id=derived_id("e", "u:1", "news", 1, "hello"),
    customer="u:1",
    channel="email",
    flow_id="news",
    flow_version=1,
    arm="treatment",
    step="hello",
    decided_ms=7,
    due_ms=7,
    expires_ms=9,
    reason="Due.",
)


def test_the_decision_that_sent_a_message_has_its_cause_and_time() -> None:
    put_off = msgspec.structs.replace(DECISION, outcome="deferred", final=False)
    again = msgspec.structs.replace(DECISION, time_ms=8)
    other = msgspec.structs.replace(DECISION, cause="other")
    assert decision_of(TRIGGER, (put_off, again, other, DECISION)) is DECISION
    assert decision_of(TRIGGER, (put_off, again, other)) is None


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ({}, "Its decision names no statement."),
        ({"consent": "default"}, "It rested on no statement, but on what holds without one."),
        (
            {"consent": "default", "consent_country": "DE"},
            "It rested on no statement, but on what holds without one in DE.",
        ),
        (
            {"consent": "default", "consent_country": "other"},
            "It rested on no statement, but on what holds without one in other countries.",
        ),
        ({"consent": "email@0"}, "It rested on what was said of email on 1970-01-01 00:00 UTC."),
        (
            {"consent": "all@60000", "consent_address": "f" * 64, "consent_received_ms": "120000"},
            "It rested on what was said of all for the address ffffffff... on {0}1 UTC, received on {0}2 UTC.",
        ),
    ],
)
def test_a_decision_names_its_statement(evidence: dict[str, str], sentence: str) -> None:
    assert rests_on(msgspec.structs.replace(DECISION, evidence=evidence)) == sentence.format("1970-01-01 00:0")


def test_without_its_decision_a_message_names_no_statement() -> None:
    assert rests_on(None) == "Its decision names no statement."


def test_an_address_is_shown_by_its_first_characters() -> None:
    assert masked_address("0123456789abcdef") == "01234567..."
    assert [masked_address(text) for text in ("", "?")] == ["", "?"]
