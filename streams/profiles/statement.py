"""What a customer said of consent, and what is known of an address of theirs."""

from __future__ import annotations

from typing import Final

import msgspec

PROMOTIONAL: Final = "promotional"
"""The purpose of a statement that names none, and of a flow of class promotional."""
ALL: Final = "all"
"""A statement of this channel is about every channel."""
EMAIL: Final = "email"
BY_MAIL: Final = frozenset({EMAIL, ALL})
"""A statement about one of these channels is about e-mail, and so about the address."""
WHO_BYTES_MAX: Final = 64
"""Bytes of the name of a person who wrote on the suppression list."""
WHY_BYTES_MAX: Final = 120
"""Bytes of what they wrote. An address has two such entries at most, of 200 bytes each."""
UNSURE: Final = "?"
"""Address of a grant that was for one of several, and nobody knows which: it lets no e-mail out."""


class ConsentState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A statement of consent.

    Rules before 4 keep the first three fields of the latest one of each channel.
    """

    channel: str
    """Or ALL."""
    granted: bool
    time_ms: int
    """When the customer said it; it holds from then on."""
    purpose: str = PROMOTIONAL
    address: str = ""
    """Hash of the e-mail address that it names; empty: it names none. A grant gets the one that the customer had."""
    received_ms: int = 0
    is_server: bool = False
    """Whether time_ms is by the clock of a server."""
    source: str = ""
    at_most: int = 0
    """Of a grant: promotional messages in seven days; 0: no such limit."""
    only_flow: str = ""
    """Of a grant: the only flow for which it holds; empty: it holds for all."""
    is_of_other: bool = False
    """Whether another profile of the address gave this limited grant, or who used the device: it grants nothing."""
    event_hash: int = 0
    """Of a grant of the customer's own: 4 bytes of the hash of its event. 0: none is known.

    Two users may say the same in one millisecond. The undo of their merge leaves each their own.
    """

    @property
    def grants(self) -> bool:
        """Return whether it is a grant of the customer's own."""
        return self.granted and not self.is_of_other

    @property
    def is_limited(self) -> bool:
        """Return whether it grants less than all."""
        return self.at_most > 0 or self.only_flow != ""


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a person wrote on the suppression list about an address."""

    is_all: bool
    """Whether it is about all messages. Else it is about promotions."""
    is_on: bool
    """Whether they put the address on the list. Else they took it off."""
    time_ms: int
    who: str
    why: str


class Mailbox(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a profile knows of one e-mail address; times in ms, 0: never."""

    address: str
    """Its hash; empty: of the user's address, which no event has named yet."""
    first_ms: int = 0
    """Time of the first event that named it as the customer's."""
    last_ms: int = 0
    """Time of the last one; of the address in use, Profile.email_ms may be later."""
    is_own: bool = False
    """Whether the customer named it. Else a report about a message did, or a device that they absorbed."""
    hard_ms: int = 0
    """Time of the last message that came back for good."""
    soft_ms: tuple[int, ...] = ()
    """Times of the last messages that came back for now."""
    complaint_ms: int = 0
    """Time of the last report of spam."""
    proof_ms: int = 0
    """Time of the last open, click, order or grant by which someone is known to read it."""
    ordered_ms: int = 0
    """Time of the last order of a guest that named it."""
    linked_ms: int = 0
    """The profile's clock when the address was asked what it knows; 0: it was known before rules 4.

    Without an address, when other user ids of the customer were asked.
    """
    erased_ms: int = 0
    """When someone who had it first asked to be forgotten."""
    listed: tuple[Listing, ...] = ()
    """What the suppression list says of it: the last entry for promotions, and the last one for all messages."""
    is_shared: bool = False
    """Whether other profiles have it too, so that it is asked before each promotional message."""
