"""Folds a touchpoint into the profile of its customer: one table from type to what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import RULES_3, AddressConsent
from streams.attribution.ledger import retouched
from streams.attribution.slices import with_late_touch
from streams.attribution.touches import add_touch, touch_of
from streams.flows.runtime.consent import with_consent
from streams.flows.runtime.hours import hour_of, zone_of
from streams.flows.runtime.pending import Ending, without_ended, without_unmet, without_withdrawn
from streams.flows.runtime.runner import on_event
from streams.fold.crediting import with_credit_due
from streams.fold.earlier_orders import ordered, taken_back
from streams.fold.identifying import ADDRESS_CHANNELS, Changes, identify
from streams.fold.ordering import is_repeat, with_order_event
from streams.fold.scoring import is_score_stale, publish_changes, rescored, segment_entered
from streams.profiles import cart, prices, timed_cart, views
from streams.profiles.answered import CHANNEL_OF, CONSENT_CHANNELS, united_answered
from streams.profiles.bounds import bounded_cart, bounded_touches, bounded_views
from streams.profiles.effects import hash_64, signed_64
from streams.profiles.hours import with_hour
from streams.profiles.keys import ADDRESS, is_address
from streams.profiles.order_changes import KINDS
from streams.profiles.orders import is_worth_changed, last_order_ms, was_ordered_since
from streams.profiles.profile import ConsentState, Profile
from streams.profiles.sessions import has_session, with_session
from streams.profiles.slots import with_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Touch

    Step = Callable[[Profile, Touchpoint, FoldMoment], Profile]

_WHEN_IT_HAPPENED: Final[int | None] = 0
"""Most events act when they happen; to read their time costs 200 instructions."""
_replace = msgspec.structs.replace
_SHOWN_KINDS: Final = frozenset({*KINDS, "consent_changed", "email_unsubscribed"})


class Arrival:
    """A touchpoint that is no duplicate, with xxh3-64 of its event id and its receive time."""

    __slots__ = ("digest", "event", "received_ms")

    def __init__(self, event: Touchpoint, digest: bytes, received_ms: int) -> None:
        self.event: Final = event
        self.digest: Final = digest
        self.received_ms: Final = received_ms


def fold_touchpoint(before: Profile, changes: Changes, arrival: Arrival, at: FoldMoment) -> Profile:
    """Return the customer's profile after the touchpoint; timers due before it have fired.

    It must be neither a duplicate nor of a device whose records are forwarded.
    """
    event, flows = arrival.event, at.known.flows
    kind, session_id = event.type, event.session_id
    session_hash = hash_64(session_id) if session_id else 0
    is_new_visit = not has_session(before.sessions, session_hash)
    identify(before, event, at, changes, is_same_visit=session_hash != 0 and not is_new_visit)
    if session_hash and is_new_visit:
        at.effects.count("sessions", event.time_ms)
        changes["sessions"] = with_session(before.sessions, session_hash, event.time_ms)
    touch = _add_touch(before, arrival, session_hash, at, changes)
    _note_articles(before, arrival, at, changes)
    profile = _replace(before, **changes)
    if touch is not None and profile.conversions and touch.time_ms <= profile.conversions[-1].time_ms:
        profile = _credited_again(profile, touch, at)
    is_of_order, acts_ms = kind in KINDS, _WHEN_IT_HAPPENED
    if is_of_order and at.rules >= RULES_3:
        profile, acts_ms = with_order_event(profile, event, at)
    else:
        step = _STEPS.get(kind)
        if step is not None:
            profile = step(profile, event, at)
    if acts_ms is not None and kind in flows.listening:
        profile = _in_flows(profile, arrival, acts_ms, at)
    is_worth_other = is_of_order and is_worth_changed(before, profile)
    if is_worth_other or is_score_stale(profile, at):
        profile = _scored_by(profile, arrival, acts_ms, at) if is_worth_other else rescored(profile, at)
        publish_changes(before, profile, at)
    elif kind in _SHOWN_KINDS or "first_ms" in changes or "linked" in changes or "user_id" in changes:
        # without one of these, or another score, a touchpoint changes nothing that others see of a profile
        publish_changes(before, profile, at)
    if profile.score is not before.score:
        is_old = arrival.received_ms - event.time_ms > at.settings.entry_age_max_ms
        profile = segment_entered(before, profile, at, is_old=is_old)
    return profile


def _scored_by(profile: Profile, arrival: Arrival, acts_ms: int | None, at: FoldMoment) -> Profile:
    """Return the profile scored again after an event of an order, without messages that are no longer true."""
    profile = rescored(profile, at, ordered=_has_ordered(profile, arrival.event, acts_ms, at))
    return without_unmet(profile, arrival.received_ms, at.known.flows, at)


def _has_ordered(profile: Profile, event: Touchpoint, acts_ms: int | None, at: FoldMoment) -> bool:
    """Return whether the event is an order; from rules 3 on a new one, after which there is none yet."""
    if event.type != "order_completed" or at.rules < RULES_3:
        return event.type == "order_completed"
    return acts_ms is not None and last_order_ms(profile) == event.time_ms


def _add_touch(before: Profile, arrival: Arrival, session_hash: int, at: FoldMoment, changes: Changes) -> Touch | None:
    """Note a marketing touch, and return it; None: the touchpoint is none, or adds none."""
    touch = touch_of(arrival.event, signed_64(arrival.digest), session_hash)
    if touch is None:
        return None
    touches = add_touch(before.touches, touch, at.now_ms)
    if touches is before.touches:
        return None
    changes["touches"] = touches if at.rules == 1 else bounded_touches(touches)
    return touch


def _credited_again(profile: Profile, touch: Touch, at: FoldMoment) -> Profile:
    """Change the credit of orders that came after a late touch."""
    if at.rules == 1:
        return _replace(profile, conversions=retouched(profile, touch, at))
    return with_credit_due(profile, with_late_touch(profile, touch, at), at)


def _note_articles(before: Profile, arrival: Arrival, at: FoldMoment, changes: Changes) -> None:
    """Note what published flows ask about the articles that the customer was shown, and that their cart has ended."""
    event, flows, filled = arrival.event, at.known.flows, before.cart
    if filled is not None and at.rules >= RULES_3:
        # an import ends no cart by the time at which it comes in
        filled = timed_cart.current(filled, min(event.time_ms, at.now_ms))
        if filled is None:
            changes["cart"] = None
    if flows.compares_prices:
        if event.type != "order_completed" or at.rules < RULES_3:
            changes["prices"] = prices.after(before.prices, event)
        elif not is_repeat(before, event):
            changes["prices"] = prices.without_ordered(before.prices, event)
    if flows.categories:
        id_hash = signed_64(arrival.digest)
        seen = views.after(before.views, event, id_hash, flows.categories)
        changes["views"] = seen if at.rules == 1 or seen is before.views else bounded_views(seen)


def _in_flows(profile: Profile, arrival: Arrival, acts_ms: int, at: FoldMoment) -> Profile:
    event, received_ms, flows = arrival.event, arrival.received_ms, at.known.flows
    if acts_ms and acts_ms != event.time_ms:
        event = _replace(event, time_ms=acts_ms)
    if profile.pending and (at.rules < RULES_3 or flows.listening[event.type].exits):
        profile = without_ended(profile, Ending(event.type, event.time_ms, received_ms), flows, at)
    return on_event(profile, event, received_ms, flows, at)


def _added(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    at.effects.count("adds", event.time_ms)
    if was_ordered_since(profile, event.time_ms):
        return profile
    if at.rules >= RULES_3:
        filled = timed_cart.added(profile.cart, event.products, event.time_ms, at.now_ms)
    else:
        filled = cart.added(profile.cart, event.products, event.time_ms, at.now_ms)
        if at.rules > 1:
            filled = bounded_cart(filled)
    if profile.cart is None and filled is not None:
        at.effects.count("carts_opened", event.time_ms)
    return _replace(profile, cart=filled)


def _removed(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    removed = cart.removed if at.rules < RULES_3 else timed_cart.removed
    return _replace(profile, cart=removed(profile.cart, event.products))


def _consented(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    if event.consent is not None:
        said_ms = min(event.time_ms, at.now_ms)
        return with_statement(profile, event.consent.channel, said_ms, at, granted=event.consent.granted)
    return profile


def _unsubscribed(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    return with_statement(profile, "email", min(event.time_ms, at.now_ms), at, granted=False)


def with_statement(profile: Profile, channel: str, time_ms: int, at: FoldMoment, *, granted: bool) -> Profile:
    """Return the profile with a statement of consent, and send it to the address, or from there to its profiles."""
    if at.rules > 1 and channel not in CONSENT_CHANNELS:
        return profile
    if profile.pending:
        statement = ConsentState(channel, granted, time_ms)
        profile = without_withdrawn(profile, (statement,), at)
    consents = with_consent(profile.consents, channel, granted=granted, time_ms=time_ms)
    if consents == profile.consents:
        return profile
    shared = AddressConsent(channel=channel, granted=granted, time_ms=time_ms, cause=at.cause)
    if is_address(at.customer):
        for target in profile.linked:
            at.effects.append(target, shared)
    elif profile.email_hash is not None and channel in ADDRESS_CHANNELS:
        at.effects.append(ADDRESS + profile.email_hash, shared)
    return _replace(profile, consents=consents)


def _answered(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    zone = zone_of(profile.time_zone, at.settings.reporting_time_zone)
    return _replace(
        profile,
        answers=with_answer(profile.answers, event.time_ms, at.now_ms),
        hours=with_hour(profile.hours, hour_of(event.time_ms, zone)),
        answered=united_answered((*profile.answered, (CHANNEL_OF[event.type], event.time_ms))),
    )


def _counted(name: str) -> Step:
    def step(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
        at.effects.count(name, event.time_ms)
        return profile

    return step


_STEPS: dict[str, Step] = {
    "product_viewed": _counted("views"),
    "page_viewed": _counted("views"),
    "product_added": _added,
    "product_removed": _removed,
    "checkout_started": _counted("checkouts"),
    "order_completed": ordered,
    "order_refunded": taken_back,
    "order_cancelled": taken_back,
    "consent_changed": _consented,
    "email_unsubscribed": _unsubscribed,
    **dict.fromkeys(CHANNEL_OF, _answered),
}
