"""Folds a touchpoint of the past into the profile of its customer: what was so then, and what is so now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.touchpoint import IDENTITY_UNLINKED
from streams.flows.language.events import heard_as
from streams.flows.runtime.pending import Ending, without_ended
from streams.flows.runtime.runner import on_history
from streams.fold.addressing import prove, tell_order
from streams.fold.carting import added, removed
from streams.fold.consenting import OF_ADDRESSES, fold_of_address
from streams.fold.identifying import identify, note_country, note_traits
from streams.fold.ordering import with_order_event
from streams.fold.owning import tell
from streams.fold.scoring import is_score_stale, publish_changes, rescored
from streams.fold.touchpoints import add_marketing_touch, credited_again, note_articles, stepped
from streams.profiles import timed_cart
from streams.profiles.effects import hash_64
from streams.profiles.keys import is_customer
from streams.profiles.order_changes import KINDS
from streams.profiles.orders import is_worth_changed
from streams.profiles.rfm import segment_of
from streams.profiles.sessions import has_session, with_imported

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.identifying import Changes
    from streams.fold.moment import FoldMoment
    from streams.fold.touchpoints import Arrival
    from streams.profiles.profile import Profile

_ORDERED = "order_completed"
_CARTED = {"product_added": added, "product_removed": removed}
_replace = msgspec.structs.replace


class Moments(NamedTuple):
    """The two times of an imported touchpoint."""

    now: FoldMoment
    """Of the customer's clock."""
    then: FoldMoment
    """Of the touchpoint."""


def fold_past(before: Profile, changes: Changes, arrival: Arrival, moments: Moments) -> Profile:
    """Return the customer's profile after an imported touchpoint; timers due by now have fired.

    It must be neither a duplicate nor of a device whose records are forwarded. It starts no flow and fills no cart that
    is newer, and a candidate or a message is only ended by what happened after it began. An old logout frees no device.
    """
    event, (at, then) = arrival.event, moments
    flows, kind = at.known.flows, heard_as(event)
    session_hash = hash_64(event.session_id) if event.session_id else 0
    is_new_visit = not has_session(before.sessions, session_hash)
    identify(before, event, at, changes, is_same_visit=session_hash != 0 and not is_new_visit)
    if session_hash and is_new_visit:
        at.effects.count("sessions", event.time_ms)
        changes["sessions"] = with_imported(before.sessions, session_hash, event.time_ms)
    if event.country is not None:
        note_country(before, event, event.country, at, changes)
    if event.traits:
        note_traits(before, event, arrival.received_ms, at, changes)
    touch = add_marketing_touch(before, arrival, session_hash, then, changes)
    note_articles(before, arrival, then, changes)
    profile = _replace(before, **changes)
    if profile.landing is None and is_customer(at.customer):
        profile = _replace(profile, landing=segment_of(before.score))
    if touch is not None and profile.conversions and touch.time_ms <= profile.conversions[-1].time_ms:
        profile = credited_again(profile, touch, then)
    acts_ms: int | None = event.time_ms
    if kind in KINDS:
        profile, acts_ms = _ordered(profile, event, moments)
    else:
        profile = _told(profile, arrival, moments)
    if acts_ms is not None and kind in flows.listening:
        acting = event if acts_ms == event.time_ms else _replace(event, time_ms=acts_ms)
        if profile.pending and flows.listening[kind].exits:
            profile = without_ended(profile, Ending(kind, acting.time_ms, event.time_ms), flows, at)
        profile = on_history(profile, acting, flows, at)
    if is_worth_changed(before, profile) or is_score_stale(profile, at):
        profile = rescored(profile, at)
    publish_changes(before, profile, at)
    return profile


def _ordered(profile: Profile, event: Touchpoint, moments: Moments) -> tuple[Profile, int | None]:
    at = moments.now
    if profile.mailboxes and event.user_id and event.type == _ORDERED:
        profile = prove(profile, event, at)
    profile, acts_ms = with_order_event(profile, event, moments.then)
    tell(profile, event, at)
    if acts_ms is not None and event.type == _ORDERED and event.email_hash and not event.user_id:
        tell_order(event.email_hash, event.time_ms, event.time_ms, at)
    return profile, acts_ms


def _told(profile: Profile, arrival: Arrival, moments: Moments) -> Profile:
    """Do what a type does that has no order."""
    event, at = arrival.event, moments.now
    kind, cart = event.type, profile.cart
    if kind in OF_ADDRESSES:
        return fold_of_address(profile, event, arrival.received_ms, at)
    if kind == IDENTITY_UNLINKED:
        return profile
    if kind in _CARTED:
        if cart is not None and timed_cart.last_add_ms(cart) > event.time_ms:
            return profile
        return _CARTED[kind](profile, event, moments.then)
    return stepped(profile, event, profile.clock_ms, at)
