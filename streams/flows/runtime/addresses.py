"""Whether a subscriber can find where to send a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.keys import is_device

if TYPE_CHECKING:
    from streams.profiles.profile import Profile


def has_address(profile: Profile, channel: str, customer: str) -> bool:
    """Return whether the customer has a user id, by which the shop knows them, or an address or device of the channel.

    An unknown device can be reached by push, and by e-mail once it has named an address.
    """
    if profile.user_id is not None:
        return True
    if channel == "email":
        return profile.email_hash is not None
    return channel == "push" and is_device(customer)
