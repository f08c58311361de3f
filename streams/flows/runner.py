"""Customers' ways through flows: entry, wait, exit, and the decision when a candidate is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.outputs import Trigger, TriggerProduct
from streams.flows.arms import HOLDOUT, UNASSIGNED, arm_of
from streams.flows.caps import cap_reached, counted, with_message
from streams.flows.conditions import cart_total_minor
from streams.flows.consent import allowed
from streams.flows.definition import duration_text
from streams.flows.receipts import Verdict, give_receipt
from streams.profiles.effects import derived_id
from streams.profiles.orders import was_ordered_since
from streams.profiles.profile import Run

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.definition import Flow, FlowSet
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Cart, Profile
    from streams.settings import DomainSettings

_ORDERED = "order_completed"
_replace = msgspec.structs.replace


def on_event(  # noqa: PLR0913, PLR0917 - what a rule depends on is named, not bundled
    profile: Profile,
    event: Touchpoint,
    now_ms: int,
    received_at_ms: int,
    flow_set: FlowSet,
    settings: DomainSettings,
    customer: str,
    effects: Effects,
) -> Profile:
    """The profile, which has taken the event in already, with flows ended and entered; the same object if none was."""
    listening = flow_set.listening.get(event.type)
    if listening is None:
        return profile
    runs = profile.runs
    if runs and listening.exits:
        runs = _without_exited(runs, listening.exits, event, now_ms, flow_set, customer, effects)
    # an address is no customer: it has no clock of its own and no one to send to
    if listening.entries and not customer.startswith("e:"):
        is_old = received_at_ms - event.time_ms > settings.entry_age_max_ms
        is_bought = was_ordered_since(profile, event.time_ms)
        for flow, holds in listening.entries:
            if is_bought and _ORDERED in flow.exit_events:
                continue  # it came late, from a device or a client; what it would start has ended already
            if holds is None or holds(profile, event):
                runs = _with_entry(runs, flow, event, now_ms, customer, effects, is_old=is_old)
    return profile if runs is profile.runs else _replace(profile, runs=runs)


def on_due(  # noqa: PLR0913, PLR0917 - as on_event
    profile: Profile,
    run: Run,
    now_ms: int,
    flow_set: FlowSet,
    settings: DomainSettings,
    customer: str,
    effects: Effects,
) -> Profile:
    """The profile after the run, one of its own, was decided: the run is over, a message may be in the log.

    A customer who entered an older version is decided by the published one, and the records name that.
    """
    runs = tuple([other for other in profile.runs if other is not run])
    flow = flow_set.flows.get(run.flow_id)
    if flow is None:
        gone = Verdict("exited", f"The flow {run.flow_id} is no longer published.", {})
        give_receipt(gone, run, UNASSIGNED, now_ms, customer, effects)
        return _replace(profile, runs=runs)
    run = _replace(run, flow_version=flow.version, step=flow.steps[0].name)
    arm = arm_of(flow, customer)
    verdict = _decide(profile, run, flow, now_ms, settings, arm)
    messages = profile.messages
    if verdict.outcome == "sent":
        effects.emit(customer, _trigger(profile, run, flow, now_ms, customer, arm, verdict))
        effects.count("triggers")
        messages = with_message(messages, flow, now_ms)
    give_receipt(verdict, run, arm, now_ms, customer, effects)
    return _replace(profile, runs=runs, messages=messages)


def lost_to_merge(run: Run, now_ms: int, customer: str, effects: Effects) -> None:
    """Ends a candidate whose customer, once two profiles were one, had another candidate in the same flow."""
    verdict = Verdict("exited", "Another candidate of the same customer goes on in this flow.", {"event": "merge"})
    give_receipt(verdict, run, UNASSIGNED, now_ms, customer, effects)


def waiting_anew(runs: tuple[Run, ...], lost: tuple[Run, ...], flow_set: FlowSet) -> tuple[Run, ...]:
    """The candidates that go on after a merge: what a lost one had entered by begins their wait anew."""
    for gone in lost:
        flow = flow_set.flows.get(gone.flow_id)
        if flow is not None and flow.wait.restarts:
            runs = tuple(
                _replace(run, due_ms=max(run.due_ms, gone.due_ms)) if run.flow_id == gone.flow_id else run
                for run in runs
            )
    return runs


def without_ordered(  # noqa: PLR0913, PLR0917 - as on_event
    runs: tuple[Run, ...], order_ms: int, now_ms: int, flow_set: FlowSet, customer: str, effects: Effects
) -> tuple[Run, ...]:
    """The candidates that stay when another profile of the same customer turns out to hold an order of that time.

    One whose last entry event came after the order began anew, and stays.
    """
    listening = flow_set.listening.get(_ORDERED)
    if listening is None or not runs:
        return runs
    kept = []
    for run in runs:
        flow = flow_set.flows.get(run.flow_id)
        if flow is None or run.flow_id not in listening.exits or _last_entry_ms(run, flow) > order_ms:
            kept.append(run)
            continue
        evidence = {"event": _ORDERED, "event_time_ms": str(order_ms)}
        verdict = Verdict("exited", f"{_ORDERED} ends this flow.", evidence)
        give_receipt(verdict, run, arm_of(flow, customer), now_ms, customer, effects)
    return tuple(kept)


def _last_entry_ms(run: Run, flow: Flow) -> int:
    return run.due_ms - flow.wait.for_ms if flow.wait.restarts else run.entered_ms


def _without_exited(  # noqa: PLR0913, PLR0917 - as on_event
    runs: tuple[Run, ...],
    exits: frozenset[str],
    event: Touchpoint,
    now_ms: int,
    flow_set: FlowSet,
    customer: str,
    effects: Effects,
) -> tuple[Run, ...]:
    kept = []
    for run in runs:
        if run.flow_id not in exits:
            kept.append(run)
            continue
        evidence = {"event": event.type, "event_id": event.event_id, "event_time_ms": str(event.time_ms)}
        verdict = Verdict("exited", f"{event.type} ends this flow.", evidence)
        give_receipt(verdict, run, arm_of(flow_set.flows[run.flow_id], customer), now_ms, customer, effects)
    return runs if len(kept) == len(runs) else tuple(kept)


def _with_entry(  # noqa: PLR0913, PLR0917 - as on_event
    runs: tuple[Run, ...],
    flow: Flow,
    event: Touchpoint,
    now_ms: int,
    customer: str,
    effects: Effects,
    *,
    is_old: bool,
) -> tuple[Run, ...]:
    due_ms = max(event.time_ms + flow.wait.for_ms, now_ms)
    for place, known in enumerate(runs):
        if known.flow_id == flow.id:
            if is_old or not flow.wait.restarts or due_ms <= known.due_ms:
                return runs
            return (*runs[:place], _replace(known, due_ms=due_ms), *runs[place + 1 :])
    candidate_id = derived_id(event.event_id, customer, flow.id, flow.version)
    run = Run(flow.id, flow.version, candidate_id, event.event_id, event.time_ms, due_ms, flow.steps[0].name)
    evidence = {"event": event.type, "event_time_ms": str(event.time_ms)}
    if is_old:
        verdict = Verdict("too_old", f"{event.type} came too late to start anything.", evidence)
    else:
        verdict = Verdict("entered", f"{event.type} starts this flow.", evidence | {"due_ms": str(due_ms)})
        runs = (*runs, run)
    give_receipt(verdict, run, arm_of(flow, customer), now_ms, customer, effects)
    return runs


def _decide(  # noqa: PLR0913, PLR0917 - as on_event
    profile: Profile, run: Run, flow: Flow, now_ms: int, settings: DomainSettings, arm: str
) -> Verdict:
    """The first no in a fixed order: needs, expiry, consent, arm, caps; else the message is sent."""
    cart = profile.cart
    evidence = {"arm": arm, **_cart_facts(cart)}
    if cart is None and flow.needs.cart == "not_empty":
        return Verdict("exited", "The cart is empty.", evidence)
    if now_ms > run.due_ms + flow.expires_after_ms:
        return Verdict("expired", "The time to send this has passed.", evidence)
    # what was bought has to be confirmed: only a withdrawal stops a transactional message
    default = settings.consent_default if flow.is_promotional else "granted"
    is_allowed, evidence["consent"] = allowed(profile.consents, flow.channel, default)
    if not is_allowed:
        return Verdict("no_consent", f"There is no consent to messages by {flow.channel}.", evidence)
    if arm == HOLDOUT:
        return Verdict("held_out", f"Of {flow.holdout_percent:g} % who get nothing, to compare with.", evidence)
    if flow.is_promotional:
        count = counted(profile.messages, flow, now_ms)
        evidence |= {"messages_channel": str(count.channel), "messages_week": str(count.week)}
        reached = cap_reached(count, flow)
        if reached is not None:
            return Verdict("capped", reached, evidence)
    return Verdict("sent", _why_sent(flow, cart), evidence)


def _why_sent(flow: Flow, cart: Cart | None) -> str:
    waited = f"{duration_text(flow.wait.for_ms)} after {flow.entry.event} nothing had ended the flow"
    return f"{waited}." if cart is None else f"{waited}; articles in the cart: {len(cart.items)}."


_CART_FACTS = ("cart_items", "cart_total_minor", "cart_added_ms")


def _cart_facts(cart: Cart | None) -> dict[str, str]:
    if cart is None:
        return {"cart_items": "0"}
    return {
        "cart_items": str(len(cart.items)),
        "cart_total_minor": str(cart_total_minor(cart)),
        "cart_added_ms": str(cart.added_ms),
    }


def _trigger(  # noqa: PLR0913, PLR0917 - as on_event
    profile: Profile, run: Run, flow: Flow, now_ms: int, customer: str, arm: str, verdict: Verdict
) -> Trigger:
    cart = profile.cart
    return Trigger(
        trigger_id=derived_id(run.cause, customer, flow.id, flow.version, run.step),
        customer=customer,
        user_id=profile.user_id,
        email_hash=profile.email_hash,
        channel=flow.channel,
        flow_id=flow.id,
        flow_version=flow.version,
        arm=arm,
        step=run.step,
        decided_ms=now_ms,
        due_ms=run.due_ms,
        expires_ms=run.due_ms + flow.expires_after_ms,
        reason=verdict.reason,
        products=tuple([TriggerProduct(item.sku, item.price_minor, item.quantity) for item in cart.items])
        if cart is not None
        else (),
        facts={} if cart is None else {name: verdict.evidence[name] for name in _CART_FACTS},
    )
