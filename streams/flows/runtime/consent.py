"""Consent by channel: the latest statement holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.identity import united_consents
from streams.profiles.profile import ConsentState

if TYPE_CHECKING:
    from typing import Literal

ALL = "all"
DEFAULT = "default"


def allowed(
    consents: tuple[ConsentState, ...], channel: str, default: Literal["denied", "granted"]
) -> tuple[bool, str]:
    """Return whether messages by the channel are consented to, and the evidence for it: channel@time_ms, or DEFAULT.

    A statement about ALL covers every channel. Of two statements at the same time a withdrawal wins.
    """
    latest = latest_statement(consents, channel)
    if latest is None:
        return default == "granted", DEFAULT
    return latest.granted, f"{latest.channel}@{latest.time_ms}"


def latest_statement(consents: tuple[ConsentState, ...], channel: str) -> ConsentState | None:
    """Return the statement that holds for a channel, its own or one about ALL; None: there is none."""
    latest: ConsentState | None = None
    for item in consents:
        if item.channel in {channel, ALL} and (latest is None or _order(item) > _order(latest)):
            latest = item
    return latest


def with_consent(
    consents: tuple[ConsentState, ...], channel: str, *, granted: bool, time_ms: int
) -> tuple[ConsentState, ...]:
    """Add a statement and keep the latest of each channel; return the same object when nothing changes."""
    united = united_consents((*consents, ConsentState(channel, granted, time_ms)))
    return consents if united == consents else united


def _order(item: ConsentState) -> tuple[int, bool]:
    return item.time_ms, not item.granted
