"""Who can be reached by which channel."""

from __future__ import annotations

import pytest

from streams.flows.runtime.addresses import has_address
from streams.profiles.profile import Profile

USER = Profile(user_id="1")
DEVICE = Profile()
DEVICE_WITH_ADDRESS = Profile(email_hash="ab" * 32)


@pytest.mark.parametrize(
    ("customer", "profile", "channels"),
    [
        ("u:1", USER, ["email", "sms", "push"]),
        ("a:phone", DEVICE, ["push"]),
        ("a:phone", DEVICE_WITH_ADDRESS, ["email", "push"]),
        ("o:order", DEVICE, []),
    ],
)
def test_a_customer_is_reached_by_what_is_known_of_them(customer: str, profile: Profile, channels: list[str]) -> None:
    assert [channel for channel in ("email", "sms", "push") if has_address(profile, channel, customer)] == channels
