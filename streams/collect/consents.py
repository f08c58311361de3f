"""Reads statements of consent at the door, so that no withdrawal is lost for how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.limits import AT_MOST_MAX
from schemas.touchpoint import Consent
from streams.collect.hiding import shown
from streams.collect.refused import RefusedRecord
from streams.profiles.answered import CONSENT_CHANNELS
from streams.profiles.statement import ALL, PROMOTIONAL

if TYPE_CHECKING:
    from collections.abc import Collection

    from schemas.touchpoint import Touchpoint


def with_statement_read(event: Touchpoint, purposes: Collection[str]) -> Touchpoint:
    """Return a touchpoint whose statement of consent has a channel and a purpose that are known.

    Capitals and blanks around them do not matter. A withdrawal for another purpose is one of promotions, and one for
    another channel is one of promotions by all channels. It has no limits. Other types of touchpoints say nothing of
    consent and stay as they are. It is the same object if nothing had to be changed.

    Raises:
        RefusedRecord: it grants what is not known, so nobody would heed it.
    """
    said = event.consent
    if said is None or event.type != "consent_changed":
        return event
    read = _granted(said, purposes) if said.granted else _withdrawn(said, purposes)
    return event if read == said else replace(event, consent=read)


def _withdrawn(said: Consent, purposes: Collection[str]) -> Consent:
    channel, purpose = _folded(said.channel), _folded(said.purpose)
    if channel not in CONSENT_CHANNELS:
        return Consent(ALL, granted=False, purpose=PROMOTIONAL)
    if not purpose:
        return Consent(channel, granted=False)
    return Consent(channel, granted=False, purpose=purpose if purpose in purposes else PROMOTIONAL)


def _granted(said: Consent, purposes: Collection[str]) -> Consent:
    channel, purpose = _folded(said.channel), _folded(said.purpose)
    if channel not in CONSENT_CHANNELS:
        allowed = f"one of {sorted(CONSENT_CHANNELS)}"
        raise RefusedRecord("no_consent", f"consent.channel is {shown(channel)}: allowed is {allowed}")
    if purpose and purpose not in purposes:
        which = f"{shown(purpose)}: allowed are those of consent_purposes, {sorted(purposes)}"
        raise RefusedRecord("no_consent", f"consent.purpose is {which}")
    if (said.at_most or 0) not in range(AT_MOST_MAX + 1):
        raise RefusedRecord("no_consent", f"consent.at_most is {said.at_most}: allowed is 1 to {AT_MOST_MAX}")
    return replace(said, channel=channel, purpose=purpose or None)


def _folded(text: str | None) -> str:
    """Return a channel or a purpose without capitals and blanks around it; they are in ASCII."""
    return (text or "").strip().lower()
