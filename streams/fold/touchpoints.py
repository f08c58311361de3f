"""Folds a touchpoint into the profile of its customer: one table from type to what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from schemas.journal import AddressConsent, Link
from streams.attribution.ledger import converted, refunded, retouched
from streams.attribution.touches import add_touch, touch_of
from streams.flows.runtime.consent import with_consent
from streams.flows.runtime.hours import hour_of, zone_of
from streams.flows.runtime.pending import Ending, without_ended, without_withdrawn
from streams.flows.runtime.runner import on_event
from streams.fold.scoring import is_score_stale, publish_changes, rescored, segment_entered
from streams.profiles import cart, prices, views
from streams.profiles.answered import CHANNEL_OF, united_answered
from streams.profiles.effects import hash_64
from streams.profiles.hours import with_hour
from streams.profiles.identity import with_link
from streams.profiles.keys import ADDRESS, DEVICE, is_address
from streams.profiles.orders import adjust, find_order, place_order, refund_order, was_ordered_since
from streams.profiles.profile import Adjustment, ConsentState, PlacedOrder, Profile
from streams.profiles.sessions import has_session, with_order, with_session
from streams.profiles.slots import with_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow_set import FlowSet
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import CategoryView, Session, ShownPrice, Touch

    Step = Callable[[Profile, Touchpoint, FoldMoment], Profile]

ADDRESS_CHANNELS = frozenset({"email", "all"})
"""A consent about one of these channels holds for the address, and so for every profile that has it."""

_replace = msgspec.structs.replace


class Changes(TypedDict, total=False):
    """What any touchpoint may change of a profile; gathered first, so that the profile is replaced once."""

    clock_ms: int
    seen: tuple[tuple[int, bytes], ...]
    first_ms: int
    time_zone: str
    user_id: str
    email_hash: str
    linked: tuple[str, ...]
    sessions: tuple[Session, ...]
    touches: tuple[Touch, ...]
    prices: tuple[ShownPrice, ...]
    views: tuple[CategoryView, ...]


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
    event, digest, flows = arrival.event, arrival.digest, at.known.flows
    session_hash = hash_64(event.session_id) if event.session_id else 0
    is_new_visit = not has_session(before.sessions, session_hash)
    _identify(before, event, at, changes, is_same_visit=session_hash != 0 and not is_new_visit)
    if session_hash and is_new_visit:
        at.effects.count("sessions", event.time_ms)
        changes["sessions"] = with_session(before.sessions, session_hash, event.time_ms)
    touch = touch_of(event, int.from_bytes(digest, "big", signed=True), session_hash)
    if touch is not None:
        touches = add_touch(before.touches, touch, at.now_ms)
        if touches is not before.touches:
            changes["touches"] = touches
        else:
            touch = None
    _note_shown(before, event, digest, flows, changes)
    profile = _replace(before, **changes)
    if touch is not None and profile.conversions and touch.time_ms <= profile.conversions[-1].time_ms:
        conversions = retouched(profile, touch, at)
        profile = _replace(profile, conversions=conversions)
    step = _STEPS.get(event.type)
    if step is not None:
        profile = step(profile, event, at)
    if event.type in flows.listening:
        profile = _in_flows(profile, arrival, flows, at)
    if profile.orders is not before.orders or profile.adjustments is not before.adjustments:
        profile = rescored(profile, at, ordered=event.type == "order_completed")
    elif is_score_stale(profile, at):
        profile = rescored(profile, at)
    publish_changes(before, profile, at)
    if profile.score is not before.score:
        is_old = arrival.received_ms - event.time_ms > at.settings.entry_age_max_ms
        profile = segment_entered(before, profile, at, is_old=is_old)
    return profile


def _note_shown(profile: Profile, event: Touchpoint, digest: bytes, flows: FlowSet, changes: Changes) -> None:
    """Note what published flows ask about the articles that the customer was shown."""
    if flows.compares_prices:
        changes["prices"] = prices.after(profile.prices, event)
    if flows.categories:
        id_hash = int.from_bytes(digest, "big", signed=True)
        changes["views"] = views.after(profile.views, event, id_hash, flows.categories)


def _in_flows(profile: Profile, arrival: Arrival, flows: FlowSet, at: FoldMoment) -> Profile:
    event, received_ms = arrival.event, arrival.received_ms
    if profile.pending:
        profile = without_ended(profile, Ending(event.type, event.time_ms, received_ms), flows, at)
    return on_event(profile, event, received_ms, flows, at)


def _identify(profile: Profile, event: Touchpoint, at: FoldMoment, changes: Changes, *, is_same_visit: bool) -> None:
    """Note what the touchpoint says of who the customer is, and link devices and addresses to them."""
    if not profile.first_ms or event.time_ms < profile.first_ms:
        changes["first_ms"] = event.time_ms
    if event.time_zone is not None and event.time_zone != profile.time_zone:
        changes["time_zone"] = event.time_zone
    linked = profile.linked
    if event.user_id:  # an empty id is none, as for the key
        if profile.user_id is None:
            changes["user_id"] = event.user_id
        if event.anonymous_id:
            linked = _link_device(profile, DEVICE + event.anonymous_id, event, at, is_same_visit=is_same_visit)
    if event.email_hash is not None and not is_address(at.customer):
        linked = link_address(linked, event.email_hash, profile.consents, at)
        if event.email_hash != profile.email_hash:
            changes["email_hash"] = event.email_hash
    if linked is not profile.linked:
        changes["linked"] = linked


def _link_device(
    profile: Profile, key: str, event: Touchpoint, at: FoldMoment, *, is_same_visit: bool
) -> tuple[str, ...]:
    """Link a device to the customer: once a visit, or at each event outside of one.

    Others may have used the device meanwhile.
    """
    if not is_same_visit or key not in profile.linked:
        at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=event.event_id))
    return with_link(profile.linked, key)


def link_address(
    linked: tuple[str, ...], email_hash: str, consents: tuple[ConsentState, ...], at: FoldMoment
) -> tuple[str, ...]:
    """Link an address to the customer once, and send it their consents about e-mail until now."""
    key = ADDRESS + email_hash
    if key in linked:
        return linked
    at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=at.cause))
    for item in consents:
        if item.channel in ADDRESS_CHANNELS:
            at.effects.append(key, AddressConsent(item.channel, item.granted, item.time_ms, at.cause))
    return with_link(linked, key)


def _added(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    at.effects.count("adds", event.time_ms)
    if was_ordered_since(profile, event.time_ms):
        return profile
    filled = cart.added(profile.cart, event.products, event.time_ms, at.now_ms)
    if profile.cart is None and filled is not None:
        at.effects.count("carts_opened", event.time_ms)
    return _replace(profile, cart=filled)


def _removed(profile: Profile, event: Touchpoint, _at: FoldMoment) -> Profile:
    return _replace(profile, cart=cart.removed(profile.cart, event.products))


def _ordered(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    order = event.order
    if order is None:
        return profile
    id_hash = hash_64(order.order_id)
    if find_order(profile, id_hash) is not None:
        at.effects.count("orders_repeated")
        return profile
    count_order(event, at)
    if not profile.orders and not profile.months:
        at.effects.count("new_customers", event.time_ms)
    if event.session_id is not None:
        sessions = with_order(profile.sessions, hash_64(event.session_id), event.time_ms)
        if sessions is not profile.sessions:
            at.effects.count("sessions_ordered", event.time_ms)
            profile = _replace(profile, sessions=sessions)
    if profile.cart is not None:
        at.effects.count("carts_ordered", event.time_ms)
        profile = _replace(profile, cart=None)
    reporting = order.currency == at.settings.reporting_currency
    profile = place_order(profile, PlacedOrder(event.time_ms, order.total_minor if reporting else 0, 0, id_hash))
    conversions = converted(profile, event, at)
    return _replace(profile, conversions=conversions)


def count_order(event: Touchpoint, at: FoldMoment) -> None:
    """Add an order to the facts of its hour, in the reporting currency or under its own."""
    order = event.order
    if order is None:
        return
    at.effects.count("orders", event.time_ms)
    by = "" if order.currency == at.settings.reporting_currency else f"currency={order.currency}"
    at.effects.count("revenue_minor", event.time_ms, order.total_minor, by)


def _refunded(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    order = event.order
    if order is None:
        return profile
    reporting = order.currency == at.settings.reporting_currency
    by = "" if reporting else f"currency={order.currency}"
    placed = find_order(profile, hash_64(order.order_id))
    refund = order.total_minor
    if event.type == "order_cancelled" and placed is not None and reporting:
        refund = placed.total_minor - placed.refunded_minor
    at.effects.count("refunds", event.time_ms)
    at.effects.count("refunds_minor", event.time_ms, refund, by)
    if placed is not None and reporting:
        profile, _ = refund_order(profile, placed.id_hash, refund)
    elif reporting:
        profile = adjust(profile, Adjustment(event.time_ms, refund, hash_64(event.event_id)))
    conversions = refunded(profile, event, refund, at)
    return _replace(profile, conversions=conversions)


def _consented(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    if event.consent is not None:
        said_ms = min(event.time_ms, at.now_ms)
        return with_statement(profile, event.consent.channel, said_ms, at, granted=event.consent.granted)
    return profile


def _unsubscribed(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    return with_statement(profile, "email", min(event.time_ms, at.now_ms), at, granted=False)


def with_statement(profile: Profile, channel: str, time_ms: int, at: FoldMoment, *, granted: bool) -> Profile:
    """Return the profile with a statement of consent, and send it to the address, or from there to its profiles."""
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
    "order_completed": _ordered,
    "order_refunded": _refunded,
    "order_cancelled": _refunded,
    "consent_changed": _consented,
    "email_unsubscribed": _unsubscribed,
    **dict.fromkeys(CHANNEL_OF, _answered),
}
