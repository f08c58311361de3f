"""The answer of an address that other profiles have too: a message that waits for it goes on, or is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.flows.runtime.asking import report_gone, why_denied
from streams.flows.runtime.pending import released, revoked_of
from streams.profiles.effects import hash_64

if TYPE_CHECKING:
    from schemas.journal import SlotAnswered
    from streams.flows.language.flow_set import FlowSet
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def answered(
    profile: Profile, answer: SlotAnswered, flow_set: FlowSet, at: Moment, *, watermark_ms: int | None
) -> Profile:
    """Return the profile after the answer of an address: the message goes on, or is taken back."""
    candidate_id = answer.candidate_id
    asked = tuple([each for each in profile.asked if each.id_hash != hash_64(candidate_id)])
    if len(asked) < len(profile.asked):
        profile = _replace(profile, asked=asked)
    if answer.is_granted:
        return released(profile, flow_set, at, watermark_ms=watermark_ms)
    evidence = {"limit": str(answer.messages), "within_ms": str(answer.within_ms), "found": str(answer.found)}
    reason = why_denied(answer)
    after, revoked = revoked_of(profile, lambda message: message.run.candidate_id == candidate_id, reason, evidence, at)
    if not revoked:
        report_gone(profile, candidate_id, at)
    return after
