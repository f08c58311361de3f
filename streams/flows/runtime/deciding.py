"""The decision about one message: the first objection in a fixed order, or that it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES_3, RULES_4
from schemas.limits import INT_MAX, LONG_MAX
from schemas.outputs import Trigger, TriggerProduct
from schemas.units import HOUR_MS
from streams.flows.language.arms import HOLDOUT
from streams.flows.language.durations import duration_text
from streams.flows.language.fields import cart_total_minor
from streams.flows.language.validity import NEVER_MS
from streams.flows.runtime.addresses import has_address
from streams.flows.runtime.arbitration import candidate_ahead, message_ahead
from streams.flows.runtime.caps import cap_reached, caps_of, counted, free_ms, unanswered
from streams.flows.runtime.carrying import carried
from streams.flows.runtime.consent import Way, allowed, no_way, over_limit, way_of
from streams.flows.runtime.contents import articles, is_empty, template_facts
from streams.flows.runtime.history import too_young
from streams.flows.runtime.hours import next_quiet_ms, quiet_until_ms, send_ms
from streams.flows.runtime.receipts import Verdict
from streams.profiles.effects import derived_id
from streams.profiles.hours import best_minute
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.flows.language.flow import Flow
    from streams.flows.language.flow_set import FlowSet
    from streams.flows.language.planning import CompiledFlow
    from streams.flows.runtime.candidate import Candidate
    from streams.flows.runtime.receipts import Outcome
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Cart, Profile, Run

HELD_MS_MIN = 1_000
HELD_MS_MAX = HOUR_MS // 4
"""Shortest and longest time until a message that a pause holds is decided again."""


def decide(candidate: Candidate, flow_set: FlowSet, at: Moment) -> Verdict:  # noqa: PLR0911 - each objection is a return
    """Decide by the first objection, in this order.

    Needs, history, content, period, pause, expiry, silence, consent, address, arm, quiet, suppression, rank, caps.
    """
    profile, run, plan, now_ms = candidate.profile, candidate.run, candidate.plan, at.now_ms
    flow, cart = plan.flow, profile.cart
    evidence = {"arm": candidate.arm, **_cart_facts(cart)}
    left = _why_left(candidate, at)
    if left is not None:
        return Verdict("exited", left, evidence)
    if plan.is_paused:
        return _paused(run, flow, now_ms, evidence)
    if now_ms > expires_ms(run, flow):
        return Verdict("expired", "The message expired before it could be sent.", evidence)
    if plan.held:
        return _held(plan, now_ms, evidence)
    way = _way(candidate, at)
    evidence |= way.evidence
    if way.objection is not None:
        return Verdict(way.objection, way.reason, evidence)
    if candidate.arm == HOLDOUT:
        share = f"the {flow.holdout_percent:g} % who get nothing"
        reason = f"This customer is in {share}, so that the flow's effect can be measured."
        return Verdict("held_out", reason, evidence)
    if flow.is_promotional:
        return _promotional(candidate, way.channel, evidence, flow_set, at)
    return Verdict("sent", _why_sent(run, plan, cart, at), evidence, way.channel)


def _why_left(candidate: Candidate, at: Moment) -> str | None:
    """Return why the customer leaves the flow at this message; None: they stay."""
    profile, plan, now_ms = candidate.profile, candidate.plan, at.now_ms
    flow = plan.flow
    if profile.cart is None and flow.needs.cart == "not_empty":
        return "The cart is empty, so the customer left the flow."
    if plan.needs is not None and not plan.needs(profile, None, now_ms):
        return "The customer no longer meets what the flow needs, so they left it."
    young = too_young(plan, at)
    if young is not None:
        return young
    if at.rules >= RULES_3 and is_empty(candidate):
        return "The message has nothing to show, so the customer left the flow."
    if flow.valid is not None and not flow.valid.holds(now_ms):
        return "The flow's period of validity is over, so the customer left it."
    return None


def expires_ms(run: Run, flow: Flow) -> int:
    """Return the last time at which a message may go out; a pause does not put it off."""
    return (run.held_ms or run.due_ms) + flow.expires_after_ms


def _paused(run: Run, flow: Flow, now_ms: int, evidence: dict[str, str]) -> Verdict:
    """Put a message off for as long as it has waited: it is decided again often at first, rarely in a long pause."""
    last_ms = expires_ms(run, flow)
    if now_ms > last_ms:
        return Verdict("paused", "The message expired while the flow was paused, so it was not sent.", evidence)
    waited_ms = now_ms - (run.held_ms or run.due_ms)
    until_ms = now_ms + min(max(waited_ms, HELD_MS_MIN), HELD_MS_MAX)
    reason = "The message waits because someone has paused the flow."
    return Verdict("deferred", reason, evidence, until_ms=min(until_ms, last_ms + 1), is_held=True)


def _held(plan: CompiledFlow, now_ms: int, evidence: dict[str, str]) -> Verdict:
    """Put a message off to the next quarter of an hour; until then nothing counts for its expiry."""
    reason = f"The message is held by silence: {plan.held}."
    return Verdict("held_by_silence", reason, evidence, until_ms=(now_ms // HELD_MS_MAX + 1) * HELD_MS_MAX)


def was_held(run: Run) -> bool:
    """Return whether it was silence that put the message off to when it is due, so that its receipt says so."""
    return run.held_ms > 0 and run.due_ms % HELD_MS_MAX == 0


def _promotional(  # noqa: PLR0911 - as decide
    candidate: Candidate, channel: str, evidence: dict[str, str], flow_set: FlowSet, at: Moment
) -> Verdict:
    """Decide by what only a promotional message has to pass."""
    profile, run, plan = candidate.profile, candidate.run, candidate.plan
    flow, now_ms, settings = plan.flow, at.now_ms, at.settings
    zone = zone_of(profile.time_zone, settings.reporting_time_zone)
    goes_ms = _goes_ms(candidate, zone, at)
    if flow.quiet_hours is not None:
        until_ms = quiet_until_ms(flow.quiet_hours, goes_ms, zone)
        if until_ms is not None:
            evidence |= {"time_zone": str(zone), "quiet_until_ms": str(until_ms)}
            if until_ms > expires_ms(run, flow):
                reason = "The message would expire before quiet hours end, so it was not sent."
                return Verdict("quiet", reason, evidence)
            end = flow.quiet_hours.to_minute
            reason = f"The message waits until {end // 60:02}:{end % 60:02} local time, when quiet hours end."
            return Verdict("deferred", reason, evidence, until_ms=until_ms)
    silenced = _silenced(profile, flow, flow_set, at)
    if silenced is not None:
        return Verdict("suppressed", silenced, evidence)
    ahead = candidate_ahead(profile.runs, plan, now_ms, flow_set, settings.arbitration_ms)
    if ahead is not None:
        return _outranked(run, flow, ahead.flow_id, ahead.due_ms, evidence)
    promotional = [message for message in profile.messages if message.is_promotional]
    if plan.is_shadow:
        # it would send in place of the published version, whose messages do not count for it
        promotional = [message for message in promotional if message.flow_id != flow.id]
    caps = caps_of(profile, flow, goes_ms, settings)
    count = counted(promotional, caps, channel, goes_ms)
    evidence |= {"messages_channel": str(count.channel), "messages_week": str(count.week)}
    reached = cap_reached(promotional, count, caps, channel, goes_ms)
    if reached is None and at.rules >= RULES_4:
        reached = over_limit(profile, flow, channel, goes_ms, at)
    winner = message_ahead(profile.messages, plan, now_ms, flow_set, settings.arbitration_ms)
    if winner is not None and (reached is not None or flow.when_outranked == "drop"):
        until_ms = NEVER_MS if flow.when_outranked == "drop" else free_ms(promotional, caps, channel, now_ms)
        return _outranked(run, flow, winner.flow_id, until_ms, evidence)
    if reached is not None:
        return Verdict("capped", reached, evidence)
    return Verdict("sent", _why_sent(run, plan, profile.cart, at), evidence, channel, until_ms=goes_ms)


def _goes_ms(candidate: Candidate, zone: ZoneInfo, at: Moment) -> int:
    """Return now, or the customer's best time if the flow asks for it and the message lasts until then."""
    flow = candidate.plan.flow
    if flow.send_time == "at_once":
        return at.now_ms
    minute = best_minute(candidate.profile.hours, at.settings.send_hour)
    best_ms = send_ms(minute, flow.quiet_hours, at.now_ms, zone)
    return best_ms if best_ms <= expires_ms(candidate.run, flow) else at.now_ms


def _outranked(run: Run, flow: Flow, winner: str, until_ms: int, evidence: dict[str, str]) -> Verdict:
    """Put a message off until then, or drop it if it expires before."""
    evidence |= {"winner": winner}
    if until_ms > expires_ms(run, flow):
        return Verdict("outranked", f"The flow {winner} has priority, so this message was not sent.", evidence)
    evidence |= {"until_ms": str(until_ms)}
    reason = f"The message waits because the flow {winner} has priority."
    return Verdict("deferred", reason, evidence, until_ms=until_ms, is_held=True)


def trigger(candidate: Candidate, verdict: Verdict, at: Moment) -> Trigger:
    """Return the message that a verdict sends; it expires when the customer's quiet hours begin, if not before."""
    profile, run, flow = candidate.profile, candidate.run, candidate.plan.flow
    cart = profile.cart if flow.products == "cart" else None
    facts = {} if cart is None else {name: verdict.evidence[name] for name in _CART_FACTS}
    if at.rules >= RULES_3:
        facts |= template_facts(candidate, at)
    last_ms = expires_ms(run, flow)
    if flow.quiet_hours is not None:
        zone = zone_of(profile.time_zone, at.settings.reporting_time_zone)
        last_ms = min(last_ms, next_quiet_ms(flow.quiet_hours, verdict.until_ms, zone))
    # additions to a cart may add up to more than an int holds
    quantity_max = INT_MAX if at.rules > 1 else LONG_MAX
    shown = [
        TriggerProduct(item.sku, item.price_minor, min(item.quantity, quantity_max)) for item in articles(candidate)
    ]
    return Trigger(
        trigger_id=derived_id(run.cause, at.customer, flow.id, flow.version, run.step),
        customer=at.customer,
        channel=verdict.channel,
        flow_id=flow.id,
        flow_version=flow.version,
        arm=candidate.arm,
        step=run.step,
        decided_ms=at.now_ms,
        due_ms=verdict.until_ms if flow.send_time == "best" else run.due_ms,
        expires_ms=last_ms,
        reason=verdict.reason,
        user_id=profile.user_id,
        email_hash=profile.email_hash,
        products=tuple(shown),
        facts=facts,
        attributes=carried(candidate) if at.rules >= RULES_4 else {},
    )


def _way(candidate: Candidate, at: Moment) -> Way:
    """Return the channel to use: of those by which the customer answered last, or else the flow's order."""
    profile, channels = candidate.profile, candidate.plan.flow.ordered_channels
    if profile.answered:
        last = dict(profile.answered)
        channels = tuple(sorted(channels, key=lambda channel: -last.get(channel, 0)))
    if at.rules >= RULES_4:
        return way_of(candidate, channels, at)
    return _way_of_earlier_rules(candidate, channels, at)


def _way_of_earlier_rules(candidate: Candidate, channels: tuple[str, ...], at: Moment) -> Way:
    profile, flow = candidate.profile, candidate.plan.flow
    # what was bought has to be confirmed: only a withdrawal stops a transactional message
    default = at.settings.consent_default if flow.is_promotional else "granted"
    evidence = ""
    objection: Outcome = "no_consent"
    for channel in channels:
        is_allowed, said = allowed(profile.consents, channel, default)
        if is_allowed:
            if at.rules < RULES_3 or has_address(profile, channel, at.customer):
                return Way(channel, {"consent": said})
            evidence, objection = said, "no_address"
        elif objection == "no_consent":
            evidence = said
    return no_way(objection, {"consent": evidence}, flow)


def _silenced(profile: Profile, flow: Flow, flow_set: FlowSet, at: Moment) -> str | None:
    """Return why a promotion is suppressed; None: it is not.

    The customer leaves too many unanswered, or another flow holds back promotions after its own message.
    """
    unanswered_max = at.settings.unanswered_max
    if unanswered_max:
        count = unanswered(profile, at)
        if count >= unanswered_max:
            limit = f"the limit is {unanswered_max}, so this one was not sent"
            return f"{count} promotional messages had no answer, and {limit}."
    for message in profile.messages:
        other = flow_set.flows.get(message.flow_id)
        if other is None or other.suppresses_ms is None or other.id == flow.id:
            continue
        if message.time_ms > at.now_ms - other.suppresses_ms:
            held_back = f"holds back other promotions for {duration_text(other.suppresses_ms)}"
            return f"The flow {other.id} {held_back} after its own message, so this one was not sent."
    return None


def _why_sent(run: Run, plan: CompiledFlow, cart: Cart | None, at: Moment) -> str:
    due = plan.flow.first_due if run.step == plan.first else f"at the step {run.step}"
    if plan.floor_ms and at.rules >= RULES_3:
        due += f", {duration_text(plan.floor_ms)} or more after the last order"
    end = "." if cart is None else f"; articles in the cart: {len(cart.items)}."
    return f"The message was due {due}, and nothing had ended the flow{end}"


_CART_FACTS = ("cart_items", "cart_total_minor", "cart_added_ms")


def _cart_facts(cart: Cart | None) -> dict[str, str]:
    if cart is None:
        return {"cart_items": "0"}
    return {
        "cart_items": str(len(cart.items)),
        "cart_total_minor": str(cart_total_minor(cart)),
        "cart_added_ms": str(cart.added_ms),
    }
