"""Messages that are decided and not out yet: held until all that came in before them is folded.

A customer's own record fires his timers at once, while a withdrawal that names only his address, or an order of his
device, may still lie in another partition. What is promotional waits then, decided as it is, until the partition's
time has come; what is found out meanwhile, and happened before the message was to go, takes it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.flows.caps import with_message
from streams.flows.consent import ALL, latest_statement
from streams.flows.receipts import Verdict, give_receipt
from streams.profiles.profile import OUTSTANDING_MAX, Outstanding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.outputs import Trigger
    from streams.flows.definition import Flow
    from streams.flows.flow_set import FlowSet
    from streams.profiles.effects import Effects
    from streams.profiles.profile import ConsentState, Profile, Run

SETTLES_MS = 10_000
"""Time comes a second or two after what happens where nothing has a backlog: for so little nobody has to wait."""
_replace = msgspec.structs.replace


def given_out(  # noqa: PLR0913, PLR0917 - what a rule depends on is named, not bundled
    profile: Profile, trigger: Trigger, run: Run, flow: Flow, settled_ms: int | None, effects: Effects
) -> Profile:
    """The profile after the message: in its log, and emitted or held."""
    profile = _replace(
        profile, messages=with_message(profile.messages, flow, trigger.channel, trigger.decided_ms)
    )  # fmt: skip
    is_settled = settled_ms is not None and trigger.decided_ms - settled_ms <= SETTLES_MS
    # one after the other, as they were decided
    if not flow.is_promotional or (is_settled and not profile.outstanding):
        _emit(trigger, trigger.customer, effects)
        return profile
    held = Outstanding(trigger, _replace(run, products=()), is_held=True)
    return bounded(_replace(profile, outstanding=(*profile.outstanding, held)), trigger.customer, effects)


def bounded(profile: Profile, customer: str, effects: Effects) -> Profile:
    """The profile with OUTSTANDING_MAX messages at most: of more the first do not wait."""
    return _without_first(profile, len(profile.outstanding) - OUTSTANDING_MAX, customer, effects)


def released(profile: Profile, settled_ms: int | None, customer: str, effects: Effects) -> Profile:
    """The profile after time has come: what nothing has taken back goes out."""
    count = sum(settled_ms is not None and message.goes_ms <= settled_ms for message in profile.outstanding)
    return _without_first(profile, count, customer, effects)


def _without_first(profile: Profile, count: int, customer: str, effects: Effects) -> Profile:
    if count <= 0:
        return profile
    for message in profile.outstanding[:count]:
        _emit(message.trigger, customer, effects)
    return _replace(profile, outstanding=profile.outstanding[count:])


def _emit(trigger: Trigger, customer: str, effects: Effects) -> None:
    # a device may have turned out to be this customer meanwhile
    effects.emit(customer, trigger if trigger.customer == customer else _replace(trigger, customer=customer))
    effects.count("triggers")
    effects.count("messages", trigger.decided_ms, by=f"flow={trigger.flow_id}")


def without_ended(  # noqa: PLR0913, PLR0917 - as given_out
    profile: Profile,
    event_type: str,
    time_ms: int,
    received_ms: int,
    now_ms: int,
    flow_set: FlowSet,
    customer: str,
    effects: Effects,
) -> Profile:
    """The profile without messages of flows that this event would have ended, had it been folded when it was received.

    An order of before the customer entered the flow ends nothing.
    """
    def is_taken_back(message: Outstanding) -> bool:
        run, plan = message.run, flow_set.plan_of(message.run, customer)
        is_exit = plan is not None and event_type in plan.flow.exit_events
        return is_exit and (run.last_entry_ms or run.entered_ms) < time_ms and received_ms < message.goes_ms

    evidence = {"event": event_type, "event_time_ms": str(time_ms)}
    reason = f"{event_type} had ended this flow before the message was to go."
    return _without(profile, is_taken_back, reason, evidence, now_ms, customer, effects)


def without_withdrawn(
    profile: Profile, statements: Iterable[ConsentState], now_ms: int, customer: str, effects: Effects
) -> Profile:
    """The profile without messages to which one of the statements had withdrawn consent before they were to go."""
    def is_taken_back(message: Outstanding) -> bool:
        channel, goes_ms = message.trigger.channel, message.goes_ms
        latest = latest_statement(profile.consents, channel)
        granted_ms = latest.time_ms if latest is not None and latest.granted and latest.time_ms < goes_ms else 0
        return any(
            said.channel in {channel, ALL} and not said.granted and granted_ms <= said.time_ms < goes_ms
            for said in statements
        )

    reason = "Consent had been withdrawn before the message was to go."
    return _without(profile, is_taken_back, reason, {}, now_ms, customer, effects)


def _without(  # noqa: PLR0913, PLR0917 - as given_out
    profile: Profile,
    is_taken_back: Callable[[Outstanding], bool],
    reason: str,
    evidence: dict[str, str],
    now_ms: int,
    customer: str,
    effects: Effects,
) -> Profile:
    revoked = [message for message in profile.outstanding if is_taken_back(message)]
    if not revoked:
        return profile
    for message in revoked:
        verdict = Verdict("revoked", reason, {"trigger_id": message.trigger.trigger_id, **evidence})
        give_receipt(verdict, message.run, message.trigger.arm, now_ms, customer, effects)
    gone = {(one.trigger.decided_ms, one.trigger.channel, one.trigger.flow_id) for one in revoked}
    # he never got them: they count for no cap
    messages = tuple(
        [sent for sent in profile.messages if (sent.time_ms, sent.channel, sent.flow_id) not in gone]
    )  # fmt: skip
    return _replace(profile, messages=messages, outstanding=_others(profile.outstanding, revoked))


def _others(outstanding: Iterable[Outstanding], revoked: list[Outstanding]) -> tuple[Outstanding, ...]:
    return tuple([message for message in outstanding if message not in revoked])
