"""Promotional messages to an address that other profiles have too: the address is asked, and each waits for the answer.

The message is decided as if there were no other profile, and held. What turns up meanwhile takes it back as ever. So
the decision does not depend on when the answer comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import RULES_4, Slot, SlotAsked, SlotLimit
from schemas.limits import TIME_MS_MAX
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.flows.language.durations import duration_text
from streams.flows.language.flow import LOG_MS
from streams.flows.runtime.caps import caps_of
from streams.flows.runtime.consent import Message, standing_on
from streams.profiles.address_entry import Asked
from streams.profiles.bounds import SLOTS_MAX
from streams.profiles.effects import derived_id, hash_64
from streams.profiles.keys import ADDRESS
from streams.profiles.mailboxes import mailbox
from streams.profiles.statement import EMAIL

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from schemas.journal import SlotAnswered
    from streams.flows.language.flow import Flow
    from streams.flows.language.flow_set import FlowSet
    from streams.profiles.moment import Moment
    from streams.profiles.profile import PendingMessage, Profile, Sent

ASKED: Final = "asked"
USED: Final = "used"
FREED: Final = "freed"
KINDS: Final = frozenset({ASKED, USED, FREED})
"""Kinds of what a profile says to its address."""
ANSWER_MS_MAX: Final = DAY_MS
"""How long a message waits for an answer until the address is asked again. An answer takes 10 s and some commits."""
TIMES_MAX: Final = 3
"""So often an address is asked. The watermark may go by days at once, so that its time alone says little."""
LIMITS_MAX: Final = 101
"""Limits of one message: each shorter window allows fewer messages, and none more than 100."""
_ID_CHARS: Final = 32
"""Of the id of a candidate."""
_replace = msgspec.structs.replace


def is_shared(profile: Profile, channel: str, address: str | None) -> bool:
    """Return whether a message goes to an address that other profiles have too."""
    if channel != EMAIL or address is None or not profile.mailboxes:
        return False
    box = mailbox(profile, address)
    return box is not None and box.is_shared


def ask(profile: Profile, message: PendingMessage, flow: Flow, at: Moment, *, watermark_ms: int | None) -> Profile:
    """Ask the address of a held message whether it may go out, and return the profile in which it waits for that."""
    trigger, candidate_id = message.trigger, message.run.candidate_id
    limits = limits_of(profile, flow, message, at)
    slot = Slot(candidate_id, message.goes_ms)
    _tell(trigger.email_hash, SlotAsked(ASKED, at.customer, trigger.decided_ms, (slot,), limits), at)
    until_ms, times = max(trigger.decided_ms, watermark_ms or 0) + ANSWER_MS_MAX, 1
    others, id_hash = [], hash_64(candidate_id)
    for each in profile.asked:
        if each.id_hash == id_hash:
            times += each.times
        else:
            others.append(each)
    return _replace(profile, asked=(*others, Asked(id_hash, until_ms, times)))


def asked_of(profile: Profile) -> dict[str, Asked]:
    """Return what waits for an answer, by the candidate's id of the pending message."""
    if not profile.asked:
        return {}
    by_hash = {each.id_hash: each for each in profile.asked}
    hashes = {message.run.candidate_id: hash_64(message.run.candidate_id) for message in profile.pending}
    return {candidate_id: by_hash[id_hash] for candidate_id, id_hash in hashes.items() if id_hash in by_hash}


def limits_of(profile: Profile, flow: Flow, message: PendingMessage, at: Moment) -> tuple[SlotLimit, ...]:
    """Return all that limits how many promotional messages the address gets, the shortest window first.

    What a limit of at least as many messages in at most as long a window implies is left out.
    """
    channel, caps = message.trigger.channel, caps_of(profile, flow, message.goes_ms, at.settings)
    found = [(caps.per_week, WEEK_MS)]
    if caps.per_channel_hours:
        found.append((1, caps.per_channel_hours * HOUR_MS))
    found += [(cap.messages, cap.within_ms) for cap in caps.rolling if cap.channel in {None, channel}]
    asked = Message(flow, channel, message.trigger.email_hash)
    found += [(item.at_most, WEEK_MS) for item in standing_on(profile, asked, at).limits if item.at_most]
    kept: list[SlotLimit] = []
    # from the longest window on: a shorter one says more only if it allows fewer
    for messages, within_ms in sorted(found, key=lambda limit: (-limit[1], limit[0])):
        if not kept or messages < kept[-1].messages:
            kept.append(SlotLimit(messages, within_ms))
    return tuple(reversed(kept))


def free(messages: Iterable[PendingMessage], profile: Profile, at: Moment) -> None:
    """Give back to their addresses the slots of messages that do not go out."""
    if at.rules < RULES_4 or not profile.mailboxes:
        return
    for message in messages:
        trigger = message.trigger
        if is_shared(profile, trigger.channel, trigger.email_hash):
            slot = Slot(message.run.candidate_id, message.goes_ms)
            _tell(trigger.email_hash, SlotAsked(FREED, at.customer, 0, (slot,)), at)


def report(profile: Profile, address: str, flow_set: FlowSet, at: Moment, *, watermark_ms: int | None) -> Profile:
    """Say to an address that turned out to be shared what it got, and ask it for the messages that are held."""
    held = {}
    for message in profile.pending:
        if message.is_held and message.trigger.email_hash == address and message.trigger.channel == EMAIL:
            plan = flow_set.plan_of(message.run, at.customer)
            if plan is not None and plan.flow.is_promotional:
                held[message.run.candidate_id] = message, plan.flow
    sent = [one for one in profile.messages if _is_to(one, address) and one.candidate_id not in held]
    if sent:
        slots = tuple([Slot(_id_of(one, at.customer), one.time_ms) for one in sent])
        _tell(address, SlotAsked(USED, at.customer, 0, slots), at)
    waiting = asked_of(profile)
    for candidate_id, (message, flow) in held.items():
        if candidate_id not in waiting:
            profile = ask(profile, message, flow, at, watermark_ms=watermark_ms)
    return profile


def ask_again(
    profile: Profile, ids: Container[str], flow_set: FlowSet, at: Moment, *, watermark_ms: int | None
) -> Profile:
    """Ask addresses for messages, by the ids of their candidates, which have not gone out yet."""
    for message in profile.pending:
        trigger = message.trigger
        if message.run.candidate_id not in ids or not is_shared(profile, trigger.channel, trigger.email_hash):
            continue
        plan = flow_set.plan_of(message.run, at.customer)
        if plan is not None and plan.flow.is_promotional and (message.is_held or message.goes_ms > at.now_ms):
            asked = ask(profile, message, plan.flow, at, watermark_ms=watermark_ms)
            profile = asked if message.is_held else profile
    return profile


def asked_again(
    profile: Profile, flow_set: FlowSet, at: Moment, *, watermark_ms: int
) -> tuple[Profile, frozenset[str]]:
    """Ask addresses again that do not answer: (profile, ids of candidates for which there is no more to ask).

    An address answers each profile that asks, also one that knows meanwhile that nobody else has it. For each that is
    late it is asked, or the message is given up: without either its customer would be woken without end.
    """
    late = {name: each.times for name, each in asked_of(profile).items() if each.until_ms <= watermark_ms}
    given_up = []
    for message in profile.pending if late else ():
        name = message.run.candidate_id
        if name not in late:
            continue
        plan = flow_set.plan_of(message.run, at.customer) if late[name] < TIMES_MAX else None
        if plan is None or not plan.flow.is_promotional:
            given_up.append(name)
        else:
            profile = ask(profile, message, plan.flow, at, watermark_ms=watermark_ms)
    return profile, frozenset(given_up)


def report_gone(profile: Profile, candidate_id: str, at: Moment) -> None:
    """Let the address know that a message which it denies now went out by an earlier answer."""
    for sent in profile.messages:
        if sent.candidate_id == candidate_id:
            for box in profile.mailboxes:
                if hash_64(box.address) == sent.address_hash:
                    _tell(box.address, SlotAsked(USED, at.customer, 0, (Slot(candidate_id, sent.time_ms),)), at)


def is_ours(asked: SlotAsked) -> bool:
    """Return whether what is said of messages is within the limits of what we write."""
    are_slots = len(asked.slots) <= SLOTS_MAX and all(
        len(slot.candidate_id) <= _ID_CHARS and abs(slot.time_ms) <= TIME_MS_MAX for slot in asked.slots
    )
    are_limits = len(asked.limits) <= LIMITS_MAX and all(
        limit.messages >= 0 and 0 < limit.within_ms <= LOG_MS for limit in asked.limits
    )
    return asked.kind in KINDS and are_slots and are_limits and abs(asked.decided_ms) <= TIME_MS_MAX


def why_denied(answer: SlotAnswered) -> str:
    """Return why an address takes no more, as one sentence."""
    if not answer.messages:
        return (
            "Other profiles have the same e-mail address, and too many messages to it wait, so this one was not sent."
        )
    got = f"together they got {answer.found} of at most {answer.messages} promotional messages"
    return (
        f"Other profiles have the same e-mail address, and {got} in {duration_text(answer.within_ms)}, "
        "so this one was not sent."
    )


def _is_to(sent: Sent, address: str) -> bool:
    """Return whether a promotional message went to an address; one of earlier rules, which kept none, may have."""
    is_known = sent.address_hash == hash_64(address) or not sent.candidate_id
    return is_known and sent.is_promotional and sent.channel == EMAIL


def _id_of(sent: Sent, customer: str) -> str:
    return sent.candidate_id or derived_id(customer, sent.flow_id, sent.time_ms)


def _tell(address: str | None, asked: SlotAsked, at: Moment) -> None:
    at.effects.append(f"{ADDRESS}{address}", asked)
