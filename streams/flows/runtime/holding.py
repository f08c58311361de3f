"""How long messages are held, and when to look again at those that are out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.journal import RULES_4
from schemas.units import HOUR_MS, MINUTE_MS
from streams.profiles.statement import EMAIL

if TYPE_CHECKING:
    from schemas.outputs import Trigger
    from streams.profiles.profile import PendingMessage, Profile

LOOK_MS: Final = HOUR_MS
LAST_LOOK_MS: Final = MINUTE_MS


def is_asked(profile: Profile, trigger: Trigger, watermark_ms: int | None) -> bool:
    """Return whether a message goes to an address that is new to the profile and may not have answered yet."""
    asked_ms = _asked_ms(profile, trigger)
    return asked_ms >= 0 and (watermark_ms is None or asked_ms >= watermark_ms)


def _asked_ms(profile: Profile, trigger: Trigger) -> int:
    """Return when the address of a message was asked what it knows, or other user ids of the customer were; -1: never.

    The message may go out once the watermark is past that time.
    """
    address, asked_ms = trigger.email_hash if trigger.channel == EMAIL else None, -1
    for box in profile.mailboxes:
        if box.linked_ms > asked_ms and (not box.address or box.address == address):
            asked_ms = box.linked_ms
    return asked_ms


def release_ms(profile: Profile, message: PendingMessage) -> int:
    """Return at which watermark a held message goes out, unless its address has to grant it first."""
    return max(message.trigger.decided_ms, _asked_ms(profile, message.trigger) + 1)


def next_look_ms(message: PendingMessage, after_ms: int, rules: int) -> int:
    """Return when to look next whether the flow of a message that is out was paused; 0: it is about to go.

    Idle customers are woken for it every LOOK_MS, and a last time when the message goes; before rules 4, when a pause
    did not look for them by itself, LAST_LOOK_MS earlier.
    """
    decided_ms, last_ms = message.trigger.decided_ms, message.goes_ms
    if rules < RULES_4:
        last_ms -= LAST_LOOK_MS
    if last_ms <= after_ms:
        return 0
    return min(last_ms, decided_ms + ((after_ms - decided_ms) // LOOK_MS + 1) * LOOK_MS)
