"""Messages that are decided and may still be taken back: held until the watermark has passed, or not due yet.

A customer's own record fires their timers at once. A withdrawal that names only their address, or an order of their
device, may still be in another partition then. So a promotional message is held until the watermark has passed its
decision. What turns up meanwhile takes it back if it happened before the message was to go out. What happens before
the due time of a message that is out already takes it back too: a Revocation under the same key informs subscribers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import RULES_3
from schemas.limits import PENDING_BYTES_MAX
from schemas.outputs import Revocation
from streams.flows.runtime.asking import ask, asked_again, asked_of, free, is_shared
from streams.flows.runtime.caps import with_message
from streams.flows.runtime.consent import latest_statement
from streams.flows.runtime.holding import is_asked
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.flows.runtime.rooms import message_bytes
from streams.profiles.bounds import newest
from streams.profiles.effects import hash_64
from streams.profiles.keys import USER, is_user
from streams.profiles.profile import PENDING_MAX, PendingMessage
from streams.profiles.statement import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.outputs import Trigger
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.runtime.candidate import Candidate
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Sent
    from streams.profiles.statement import ConsentState

_TOO_MANY = "Too many messages to this customer wait, so this one was taken back before its address had answered."
_UNANSWERED = "The e-mail address, which other profiles have too, does not answer, so the message was taken back."
_PAUSED = "The flow was paused before the message went out, so it was taken back."
LAG_MS_MAX = 10_000
"""Without a backlog the watermark is a second or two behind: up to this lag no message is held."""
_replace = msgspec.structs.replace


class Ending(NamedTuple):
    """An event that ends flows."""

    event_type: str
    time_ms: int
    received_ms: int


def sent_or_held(candidate: Candidate, trigger: Trigger, at: Moment, *, watermark_ms: int | None) -> Profile:
    """Emit or hold a message, and return the profile with it: in the log, and pending until it is due."""
    flow, goes_ms = candidate.plan.flow, max(trigger.decided_ms, trigger.due_ms)
    has_others = flow.is_promotional and is_shared(candidate.profile, trigger.channel, trigger.email_hash)
    profile = with_message(candidate, trigger.channel, goes_ms, at)
    is_current = watermark_ms is not None and trigger.decided_ms - watermark_ms <= LAG_MS_MAX
    # messages go out in the order in which they were decided
    is_held = flow.is_promotional and (
        not is_current
        or has_others
        or any(other.is_held for other in profile.pending)
        or is_asked(profile, trigger, watermark_ms)
    )
    if not is_held:
        _emit(trigger, at)
        if goes_ms == trigger.decided_ms:
            return profile
    message = PendingMessage(trigger, _replace(candidate.run, products=(), attributes=()), is_held)
    profile = _replace(profile, pending=(*profile.pending, message))
    if has_others:
        profile = ask(profile, message, flow, at, watermark_ms=watermark_ms)
    return bounded(profile, at)


def bounded(profile: Profile, at: Moment) -> Profile:
    """Return the profile with at most PENDING_MAX pending messages that fit; of more, the first go out now.

    Those that wait for their address are taken back.
    """
    beyond = len(profile.pending) - PENDING_MAX
    # one alone always fits: with a full cart it has less than 20,000 bytes
    if at.rules > 1 and len(profile.pending) > 1:
        fitting = newest(profile.pending, message_bytes, PENDING_BYTES_MAX)
        beyond = max(beyond, len(profile.pending) - len(fitting))
    if beyond <= 0:
        return profile
    gone, asked = profile.pending[:beyond], asked_of(profile)
    waiting = [message for message in gone if message.run.candidate_id in asked]
    if waiting:
        return bounded(taken_back(profile, lambda message: message in waiting, _TOO_MANY, {}, at), at)
    for message in gone:
        if message.is_held:
            _emit(message.trigger, at)
    return _replace(profile, pending=profile.pending[beyond:])


def released(profile: Profile, flow_set: FlowSet, at: Moment, *, watermark_ms: int | None) -> Profile:
    """Emit the held messages that the watermark has passed, and return the profile.

    A message stays pending until it is due. Before rules 3 one whose flow is paused is taken back only here.
    """
    if watermark_ms is None:
        return profile
    if at.rules < RULES_3:
        profile = _without_paused(profile, watermark_ms, flow_set, at)
    now_ms = max(profile.clock_ms, watermark_ms)
    if profile.asked:
        profile = _without_unanswered(profile, watermark_ms, flow_set, at)
    asked = asked_of(profile)
    kept = []
    for message in profile.pending:
        is_released = _is_to_release(message, watermark_ms)
        if is_released and (message.run.candidate_id in asked or is_asked(profile, message.trigger, watermark_ms)):
            is_released = False
        if is_released:
            _emit(message.trigger, at)
        if message.goes_ms > now_ms or (message.is_held and not is_released):
            kept.append(_replace(message, is_held=False) if is_released else message)
    return _replace(profile, pending=tuple(kept))


def _without_unanswered(profile: Profile, watermark_ms: int, flow_set: FlowSet, at: Moment) -> Profile:
    """Ask addresses again that do not answer, and take the messages back in the end."""
    profile, given_up = asked_again(profile, flow_set, at, watermark_ms=watermark_ms)
    return taken_back(profile, lambda message: message.run.candidate_id in given_up, _UNANSWERED, {}, at)


def _is_to_release(message: PendingMessage, watermark_ms: int) -> bool:
    return message.is_held and message.trigger.decided_ms <= watermark_ms


def without_paused(profile: Profile, flow_set: FlowSet, at: Moment) -> Profile:
    """Take back the messages of paused flows, those that are held and those that are out and not due yet.

    So it goes with flows that hold their messages because what they rely on is missing.
    """
    profile = taken_back(profile, lambda message: _is_paused(message, flow_set, at), _PAUSED, {}, at)
    for why in sorted({_why_held(message, flow_set, at) for message in profile.pending} - {""}):
        reason = f"The message was held by silence before it went out, so it was taken back: {why}."
        profile = taken_back(profile, partial(_is_held_for, why, flow_set, at), reason, {}, at)
    return profile


def _without_paused(profile: Profile, watermark_ms: int, flow_set: FlowSet, at: Moment) -> Profile:
    def is_taken_back(message: PendingMessage) -> bool:
        return _is_to_release(message, watermark_ms) and _is_paused(message, flow_set, at)

    return taken_back(profile, is_taken_back, _PAUSED, {}, at)


def _is_paused(message: PendingMessage, flow_set: FlowSet, at: Moment) -> bool:
    plan = flow_set.plan_of(message.run, at.customer)
    return plan is not None and plan.is_paused


def _why_held(message: PendingMessage, flow_set: FlowSet, at: Moment) -> str:
    plan = flow_set.plan_of(message.run, at.customer)
    return "" if plan is None else plan.held


def _is_held_for(why: str, flow_set: FlowSet, at: Moment, message: PendingMessage) -> bool:
    return _why_held(message, flow_set, at) == why


def _emit(trigger: Trigger, at: Moment) -> None:
    mine = trigger
    if trigger.customer != at.customer:
        # the device for which it was decided turned out to be this customer
        mine = _replace(trigger, customer=at.customer)
        if at.rules >= RULES_3 and is_user(at.customer):
            mine = _replace(mine, user_id=at.customer.removeprefix(USER))
    at.effects.emit(at.customer, mine)
    at.effects.count("triggers")
    at.effects.count("messages", trigger.decided_ms, by=f"flow={trigger.flow_id}")


def without_ended(profile: Profile, ending: Ending, flow_set: FlowSet, at: Moment) -> Profile:
    """Take back messages of flows that this event would have ended, had it been folded when it was received.

    An event from before the customer entered the flow ends nothing.
    """
    listening = flow_set.listening.get(ending.event_type)
    exits = listening.exits if listening is not None else ()

    def is_taken_back(message: PendingMessage) -> bool:
        run = message.run
        if run.flow_id not in exits:
            return False
        plan = flow_set.plan_of(run, at.customer)
        is_exit = plan is not None and ending.event_type in plan.flow.exit_events
        entry_ms = run.last_entry_ms or run.entered_ms
        # as for candidates, an event of the same time ends the flow; rules 1 and 2 compared otherwise here
        is_later = entry_ms < ending.time_ms or (entry_ms == ending.time_ms and at.rules >= RULES_3)
        return is_exit and is_later and ending.received_ms < message.goes_ms

    evidence = {"event": ending.event_type, "event_time_ms": str(ending.time_ms)}
    reason = f"{ending.event_type} had ended the flow before the message was to go out, so it was taken back."
    return taken_back(profile, is_taken_back, reason, evidence, at)


def without_unmet(profile: Profile, after_ms: int, flow_set: FlowSet, at: Moment) -> Profile:
    """Take back messages that were to go out after a time and whose flow's needs an order has ended.

    An order is no exit of a flow that it lets customers enter, so only the needs say that another one ends it. Before
    rules 3 they are asked only when the message is decided.
    """
    if not profile.pending or at.rules < RULES_3:
        return profile

    def is_taken_back(message: PendingMessage) -> bool:
        plan = flow_set.plan_of(message.run, at.customer)
        if plan is None or plan.needs is None or message.goes_ms <= after_ms:
            return False
        unsent = _replace(profile, messages=_logged_without(profile, (message,)))
        return not plan.needs(unsent, None, at.now_ms)

    reason = "The customer no longer met what the flow needs before the message was to go out, so it was taken back."
    return taken_back(profile, is_taken_back, reason, {}, at)


def _logged_without(profile: Profile, messages: Iterable[PendingMessage]) -> tuple[Sent, ...]:
    """Return the log without messages that do not go out.

    Of a flow two may go at one time, where profiles were merged; before rules 4 it is not known which is which.
    """
    names = {one.run.candidate_id for one in messages}
    unsent = {(one.goes_ms, one.trigger.channel, one.trigger.flow_id) for one in messages}
    return tuple(
        [
            sent
            for sent in profile.messages
            if (sent.candidate_id and sent.candidate_id not in names)
            or (sent.time_ms, sent.channel, sent.flow_id) not in unsent
        ]
    )


def without_withdrawn(profile: Profile, statements: Iterable[ConsentState], at: Moment) -> Profile:
    """Take back messages for which one of the statements withdrew consent before they were to go out."""

    def is_taken_back(message: PendingMessage) -> bool:
        channel, goes_ms = message.trigger.channel, message.goes_ms
        latest = latest_statement(profile.consents, channel)
        granted_ms = latest.time_ms if latest is not None and latest.granted and latest.time_ms < goes_ms else 0
        return any(
            said.channel in {channel, ALL} and not said.granted and granted_ms <= said.time_ms < goes_ms
            for said in statements
        )

    reason = "Consent was withdrawn before the message was to go out, so it was taken back."
    return taken_back(profile, is_taken_back, reason, {}, at)


def taken_back(
    profile: Profile, is_taken_back: Callable[[PendingMessage], bool], reason: str, evidence: dict[str, str], at: Moment
) -> Profile:
    """Return the profile without the messages that are on the way and taken back, each with its receipt.

    Slots that addresses keep for them are given back.
    """
    after, revoked = revoked_of(profile, is_taken_back, reason, evidence, at)
    if revoked:
        free(revoked, profile, at)
    return after


def revoked_of(
    profile: Profile, is_taken_back: Callable[[PendingMessage], bool], reason: str, evidence: dict[str, str], at: Moment
) -> tuple[Profile, list[PendingMessage]]:
    open_ = [message for message in profile.pending if message.is_held or message.goes_ms > at.now_ms]
    revoked = [message for message in open_ if is_taken_back(message)]
    if len(open_) == len(profile.pending) and not revoked:
        return profile, revoked
    for message in revoked:
        trigger = message.trigger
        verdict = Verdict("revoked", reason, {"trigger_id": trigger.trigger_id, **evidence})
        give_receipt(verdict, message.run, trigger.arm, at)
        if not message.is_held:
            revocation = Revocation(
                trigger_id=trigger.trigger_id,
                customer=at.customer,
                flow_id=trigger.flow_id,
                channel=trigger.channel,
                reason=reason,
                time_ms=at.now_ms,
            )
            at.effects.emit(at.customer, revocation)
    pending = tuple([message for message in open_ if message not in revoked])
    # the customer never got them, so they count for no cap
    after = _replace(profile, messages=_logged_without(profile, revoked), pending=pending)
    if profile.asked:
        gone = {hash_64(message.run.candidate_id) for message in revoked}
        after = _replace(after, asked=tuple([each for each in profile.asked if each.id_hash not in gone]))
    return after, revoked
