"""Which statements are about a message."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streams.profiles.mailboxes import with_mailboxes, with_naming
from streams.profiles.profile import EMPTY
from streams.profiles.standing import statements_about, statements_of_device
from streams.profiles.statement import UNSURE, ConsentState, Mailbox


@pytest.mark.parametrize(
    ("address", "asked", "grant_holds", "withdrawal_holds"),
    [
        ("aa", "aa", True, True),
        ("aa", "bb", False, False),
        ("", "aa", False, True),
        ("", None, True, True),
        ("aa", None, True, False),
        (UNSURE, "aa", False, False),
        (UNSURE, None, False, False),
    ],
)
def test_a_statement_is_about_its_own_address(
    address: str, asked: str | None, *, grant_holds: bool, withdrawal_holds: bool
) -> None:
    for granted, holds in ((True, grant_holds), (False, withdrawal_holds)):
        item = ConsentState("email", granted, 5, address=address)
        profile = replace(EMPTY, consents=(item,))
        assert statements_about(profile, "email", "promotional", asked) == ([item] if holds else [])
        assert statements_about(profile, "email", "service", asked) == []


def test_a_grant_of_all_channels_for_an_unsure_address_is_still_one_for_sms() -> None:
    item = ConsentState("all", granted=True, time_ms=5, address=UNSURE)
    profile = with_naming(replace(EMPTY, consents=(item,)), "aa", 1)
    assert statements_about(profile, "sms", "promotional", "aa") == [item]
    assert statements_about(profile, "email", "promotional", "aa") == []


def test_a_limit_said_at_a_device_of_a_user_limits_and_grants_nothing() -> None:
    user = with_naming(
        replace(EMPTY, consents=(ConsentState("email", granted=True, time_ms=1, address="aa"),)), "aa", 1
    )
    for address, kept in (("", ""), (UNSURE, ""), ("bb", "bb")):
        said = ConsentState("email", granted=True, time_ms=5, address=address, at_most=1)
        assert statements_of_device(user, (said,)) == (replace(said, address=kept, is_of_other=True),)
    assert statements_of_device(user, (replace(said, at_most=0),)) == ()
    asked = with_mailboxes(user, [Mailbox("", linked_ms=5)])
    assert statements_of_device(asked, (replace(said, address="", at_most=0),)) == ()
    assert statements_of_device(user, (replace(said, address="aa"),)) == (replace(said, address="aa"),)


def test_a_limit_that_names_no_address_is_about_all() -> None:
    item = ConsentState("all", granted=True, time_ms=5, at_most=1, is_of_other=True)
    profile = replace(EMPTY, consents=(item,))
    for channel in ("email", "sms"):
        assert statements_about(profile, channel, "promotional", "aa") == [item]
