"""What a customer consents to, statement by statement."""

from __future__ import annotations

from streams.flows.runtime.consent import allowed, with_consent
from streams.profiles.statement import ConsentState


def test_the_latest_statement_about_the_channel_or_all_holds() -> None:
    consents = (ConsentState("all", granted=False, time_ms=2), ConsentState("email", granted=True, time_ms=1))
    assert allowed(consents, "email", "granted") == (False, "all@2")
    assert allowed(with_consent(consents, "email", granted=True, time_ms=3), "email", "denied") == (True, "email@3")


def test_of_two_statements_at_the_same_time_the_withdrawal_holds() -> None:
    consents = (ConsentState("all", granted=True, time_ms=1), ConsentState("email", granted=False, time_ms=1))
    assert allowed(consents, "email", "granted") == (False, "email@1")


def test_a_statement_about_another_channel_says_nothing() -> None:
    assert allowed((ConsentState("sms", granted=True, time_ms=1),), "email", "denied") == (False, "default")


def test_a_statement_that_comes_late_changes_nothing() -> None:
    consents = with_consent((), "email", granted=False, time_ms=5)
    assert with_consent(consents, "email", granted=True, time_ms=4) is consents
