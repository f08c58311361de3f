"""What follows a statement that comes in after messages were decided: those on the way are taken back, others named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.units import WEEK_MS
from streams.flows.language.assignment import arm_of
from streams.flows.runtime.consent import Message, evidence_of, is_for, standing_on, suppressed_by
from streams.flows.runtime.pending import taken_back
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.profiles.effects import hash_64
from streams.profiles.profile import Run
from streams.profiles.statement import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.flows.language.flow import Flow
    from streams.flows.language.flow_set import FlowSet
    from streams.profiles.moment import Moment
    from streams.profiles.profile import PendingMessage, Profile, Sent
    from streams.profiles.statements import Standing

_TAKEN_BACK: Final = "What the customer said before the message was to go out does not allow it, so it was taken back."
_TOO_LATE: Final = "The message had gone out when a withdrawal came in that was valid before it."
_replace = msgspec.structs.replace


def without_disallowed(profile: Profile, flow_set: FlowSet, at: Moment) -> Profile:
    """Take back messages that what is known now forbids, by what was said before they were to go out."""
    if not profile.pending:
        return profile
    earlier: list[PendingMessage] = []

    def is_taken_back(message: PendingMessage) -> bool:
        plan = flow_set.plan_of(message.run, at.customer)
        is_out = plan is not None and _is_disallowed(profile, message, plan.flow, earlier, at)
        if not is_out:
            earlier.append(message)
        return is_out

    return taken_back(profile, is_taken_back, _TAKEN_BACK, {}, at)


def _is_disallowed(
    profile: Profile, message: PendingMessage, flow: Flow, earlier: list[PendingMessage], at: Moment
) -> bool:
    asked = Message(flow, message.trigger.channel, message.trigger.email_hash, message.goes_ms)
    standing = standing_on(profile, asked, at)
    if not is_for(standing, flow):
        return True
    if suppressed_by(profile, asked, standing, at) is not None:
        return True
    return flow.is_promotional and _is_one_too_many(profile, message, standing, earlier)


def _is_one_too_many(
    profile: Profile, message: PendingMessage, standing: Standing, earlier: list[PendingMessage]
) -> bool:
    """Return whether the customer wants fewer: messages that go out before, or were decided before, come first."""
    goes_ms, own = message.goes_ms, message.trigger.channel
    for item in standing.limits:
        channels = {own} if item.channel != ALL else {sent.channel for sent in profile.messages}
        before = [
            sent for sent in profile.messages if sent.is_promotional and goes_ms - WEEK_MS < sent.time_ms < goes_ms
        ]
        count = len([sent for sent in before if sent.channel in channels])
        count += len([one for one in earlier if one.goes_ms == goes_ms and one.trigger.channel in channels])
        if 0 < item.at_most <= count:
            return True
    return False


def name_too_late(known: Sequence[Profile], after: Profile, since_ms: int, flow_set: FlowSet, at: Moment) -> None:
    """Give a receipt for each message that had gone out since a time and that only what is known now forbids.

    `known` are the profiles that knew less: the one itself, and one that is united with it.
    """
    open_ = [one for one in after.pending if one.is_held or one.goes_ms > at.now_ms]
    pending = {(one.goes_ms, one.trigger.channel, one.trigger.flow_id) for one in open_}
    for sent in after.messages:
        # what is not on the way any more has gone, also where the clock of an idle customer is behind
        if sent.time_ms <= since_ms or (sent.time_ms, sent.channel, sent.flow_id) in pending:
            continue
        flow = flow_set.flows.get(sent.flow_id)
        if flow is None or not sent.candidate_id:
            continue
        standing = _standing_then(after, flow, sent, at)
        was_for = any(is_for(_standing_then(before, flow, sent, at), flow) for before in known)
        if was_for and not is_for(standing, flow):
            _name(sent, flow, standing, at)


def _standing_then(profile: Profile, flow: Flow, sent: Sent, at: Moment) -> Standing:
    return standing_on(profile, Message(flow, sent.channel, _address_of(sent, profile), sent.time_ms), at)


def _address_of(sent: Sent, profile: Profile) -> str | None:
    """Return the address to which a message went, which the customer may have left since; None: to none.

    Empty: nothing that is known is about that address alone.
    """
    if not sent.address_hash:
        return None
    named = {*[box.address for box in profile.mailboxes], *[item.address for item in profile.consents]}
    return next((address for address in sorted(named) if hash_64(address) == sent.address_hash), "")


def _name(sent: Sent, flow: Flow, standing: Standing, at: Moment) -> None:
    run = Run(flow.id, flow.version, sent.candidate_id, at.cause, sent.time_ms, sent.time_ms, "")
    evidence = {**evidence_of(standing), "sent_ms": str(sent.time_ms), "channel": sent.channel}
    give_receipt(Verdict("late_withdrawal", _TOO_LATE, evidence), run, arm_of(flow, at.customer), at)
