"""Folds a touchpoint into the profile of its customer: one table from type to what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.touchpoint import CURRENCY, CUSTOM, IDENTITY_LINKED, IDENTITY_UNLINKED
from streams.attribution.ledger import retouched
from streams.attribution.slices import with_late_touch
from streams.attribution.touches import add_touch, touch_of
from streams.flows.language.events import heard_as
from streams.flows.runtime.dated import with_entry_timers
from streams.flows.runtime.pending import Ending, without_ended, without_unmet
from streams.flows.runtime.runner import on_event
from streams.fold.addressing import prove, tell_order
from streams.fold.answering import answered
from streams.fold.carting import added, removed
from streams.fold.consenting import OF_ADDRESSES
from streams.fold.crediting import with_credit_due
from streams.fold.earlier_consents import of_address
from streams.fold.earlier_orders import ordered, taken_back
from streams.fold.identifying import Changes, identify, note_channel, note_country, note_traits, signed_up
from streams.fold.joining import joined
from streams.fold.ordering import is_repeat, with_order_event
from streams.fold.owning import tell
from streams.fold.scoring import is_score_stale, publish_changes, rescored, segment_entered
from streams.fold.unlinking import logged_out
from streams.profiles import prices, timed_cart, views
from streams.profiles.answered import CHANNEL_OF
from streams.profiles.bounds import bounded_touches, bounded_views
from streams.profiles.claims import in_its_shop
from streams.profiles.effects import hash_64, signed_64
from streams.profiles.order_changes import KINDS
from streams.profiles.orders import is_worth_changed, last_order_ms
from streams.profiles.sessions import has_session, with_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.fold.partition_state import Knowledge
    from streams.profiles.profile import Profile, Touch

    Step = Callable[[Profile, Touchpoint, FoldMoment], Profile]

_WHEN_IT_HAPPENED: Final[int | None] = 0
"""Most events act when they happen; to read their time costs 200 instructions."""
_ORDERED: Final = "order_completed"
_replace = msgspec.structs.replace
_SHOWN_KINDS: Final = frozenset({*KINDS, "consent_changed", "email_unsubscribed", "signed_up", IDENTITY_UNLINKED})


class Arrival:
    """A touchpoint that is no duplicate, with xxh3-64 of its event id and its receive time."""

    __slots__ = ("digest", "event", "received_ms")

    def __init__(self, event: Touchpoint, digest: bytes, received_ms: int) -> None:
        self.event: Final = event
        self.digest: Final = digest
        self.received_ms: Final = received_ms


def arrival_of(event: Touchpoint, digest: bytes, received_ms: int, known: Knowledge) -> Arrival:
    """Return a touchpoint that is no duplicate, from rules 4 on of its shop and without foreign prices."""
    if event.order is not None and known.rules >= RULES_4:
        event = in_its_shop(event, known.settings)
    elif event.properties and known.rules >= RULES_4 and CURRENCY in event.properties and event.products:
        event = prices.without_foreign_prices(event, known.settings.reporting_currency)
    return Arrival(event, digest, received_ms)


def fold_touchpoint(before: Profile, changes: Changes, arrival: Arrival, at: FoldMoment) -> Profile:
    """Return the customer's profile after the touchpoint; timers due before it have fired.

    It must be neither a duplicate nor of a device whose records are forwarded.
    """
    event, flows = arrival.event, at.known.flows
    kind = event.type
    touch = _noted(before, changes, arrival, at)
    profile = _replace(before, **changes)
    if touch is not None and profile.conversions and touch.time_ms <= profile.conversions[-1].time_ms:
        profile = credited_again(profile, touch, at)
    is_of_order, acts_ms = kind in KINDS, _WHEN_IT_HAPPENED
    if is_of_order and at.rules >= RULES_3:
        profile, acts_ms = _ordered(profile, event, arrival.received_ms, at)
    elif kind in OF_ADDRESSES:
        profile = of_address(profile, arrival.event, arrival.received_ms, at)
    else:
        profile = stepped(profile, event, before.clock_ms, at)
    heard = kind if kind != CUSTOM else heard_as(event)
    if acts_ms is not None and heard in flows.listening:
        profile = _in_flows(profile, arrival, heard, acts_ms, at)
    if flows.has_trait_dates and at.rules >= RULES_4:
        profile = with_entry_timers(profile, flows, at)
    is_worth_other = is_of_order and is_worth_changed(before, profile)
    if is_worth_other or is_score_stale(profile, at):
        profile = _scored_by(profile, arrival, acts_ms, at) if is_worth_other else rescored(profile, at)
        publish_changes(before, profile, at)
    elif kind in _SHOWN_KINDS or "first_ms" in changes or "linked" in changes or _shows_who(changes):
        # without one of these, or another score, a touchpoint changes nothing that others see of a profile
        publish_changes(before, profile, at)
    if profile.score is not before.score:
        is_old = arrival.received_ms - event.time_ms > at.settings.entry_age_max_ms
        profile = segment_entered(before, profile, at, is_old=is_old)
    return profile


def _noted(before: Profile, changes: Changes, arrival: Arrival, at: FoldMoment) -> Touch | None:
    """Note what any touchpoint says of a customer, and return the marketing touch that it adds; None: it adds none."""
    event, session_id = arrival.event, arrival.event.session_id
    session_hash = hash_64(session_id) if session_id else 0
    is_new_visit = not has_session(before.sessions, session_hash)
    identify(before, event, at, changes, is_same_visit=session_hash != 0 and not is_new_visit)
    if session_hash and is_new_visit:
        at.effects.count("sessions", event.time_ms)
        changes["sessions"] = with_session(before.sessions, session_hash, event.time_ms)
    if event.country is not None and at.rules >= RULES_4:
        note_country(before, event, event.country, at, changes)
    if event.traits and at.rules >= RULES_4:
        note_traits(before, event, arrival.received_ms, at, changes)
    touch = add_marketing_touch(before, arrival, session_hash, at, changes)
    note_articles(before, arrival, at, changes)
    return touch


def stepped(profile: Profile, event: Touchpoint, came_ms: int, at: FoldMoment) -> Profile:
    """Do what a type does that has neither an order nor an address; `came_ms` is the clock before the touchpoint."""
    step = _STEPS.get(event.type)
    if step is not None:
        return step(profile, event, at)
    return logged_out(profile, event, came_ms, at) if event.type == IDENTITY_UNLINKED else profile


def _scored_by(profile: Profile, arrival: Arrival, acts_ms: int | None, at: FoldMoment) -> Profile:
    """Return the profile scored again after an event of an order, without messages that are no longer true."""
    profile = rescored(profile, at, ordered=_has_ordered(profile, arrival.event, acts_ms, at))
    return without_unmet(profile, arrival.received_ms, at.known.flows, at)


def _shows_who(changes: Changes) -> bool:
    return "user_id" in changes or "email_hash" in changes or "attributes" in changes


def _ordered(profile: Profile, event: Touchpoint, received_ms: int, at: FoldMoment) -> tuple[Profile, int | None]:
    if profile.mailboxes and event.user_id and event.type == _ORDERED:
        # anybody may type an address at a checkout
        profile = prove(profile, event, at)
    profile, acts_ms = with_order_event(profile, event, at)
    if at.rules >= RULES_4:
        tell(profile, event, at)
        if acts_ms is not None and event.type == _ORDERED and event.email_hash and not event.user_id:
            # a guest whose browser is known is one to those who have the address
            tell_order(event.email_hash, event.time_ms, received_ms, at)
    return profile, acts_ms


def _has_ordered(profile: Profile, event: Touchpoint, acts_ms: int | None, at: FoldMoment) -> bool:
    """Return whether the event is an order; from rules 3 on a new one, after which there is none yet."""
    if event.type != _ORDERED or at.rules < RULES_3:
        return event.type == _ORDERED
    return acts_ms is not None and last_order_ms(profile) == event.time_ms


def add_marketing_touch(
    before: Profile, arrival: Arrival, session_hash: int, at: FoldMoment, changes: Changes
) -> Touch | None:
    """Note a marketing touch, and return it; None: the touchpoint is none, or adds none."""
    touch = touch_of(arrival.event, signed_64(arrival.digest), session_hash)
    if touch is None:
        return None
    known = before.attributes
    if at.rules >= RULES_4 and (known is None or known.channel is None or touch.time_ms <= known.channel.time_ms):
        note_channel(before, touch, at, changes)
    touches = add_touch(before.touches, touch, at.now_ms)
    if touches is before.touches:
        return None
    changes["touches"] = touches if at.rules == 1 else bounded_touches(touches)
    return touch


def credited_again(profile: Profile, touch: Touch, at: FoldMoment) -> Profile:
    """Change the credit of orders that came after a late touch."""
    if at.rules == 1:
        return _replace(profile, conversions=retouched(profile, touch, at))
    return with_credit_due(profile, with_late_touch(profile, touch, at), at)


def note_articles(before: Profile, arrival: Arrival, at: FoldMoment, changes: Changes) -> None:
    """Note what published flows ask about the articles that the customer was shown, and that their cart has ended."""
    event, flows, filled = arrival.event, at.known.flows, before.cart
    if filled is not None and at.rules >= RULES_3:
        # an import ends no cart by the time at which it comes in
        filled = timed_cart.current(filled, min(event.time_ms, at.now_ms))
        if filled is None:
            changes["cart"] = None
    if flows.compares_prices:
        if event.type != _ORDERED or at.rules < RULES_3:
            changes["prices"] = prices.after(before.prices, event)
        elif not is_repeat(before, event):
            changes["prices"] = prices.without_ordered(before.prices, event)
    if flows.categories:
        id_hash = signed_64(arrival.digest)
        seen = views.after(before.views, event, id_hash, flows.categories)
        changes["views"] = seen if at.rules == 1 or seen is before.views else bounded_views(seen)


def _in_flows(profile: Profile, arrival: Arrival, heard: str, acts_ms: int, at: FoldMoment) -> Profile:
    event, received_ms, flows = arrival.event, arrival.received_ms, at.known.flows
    if acts_ms and acts_ms != event.time_ms:
        event = _replace(event, time_ms=acts_ms)
    if profile.pending and (at.rules < RULES_3 or flows.listening[heard].exits):
        profile = without_ended(profile, Ending(heard, event.time_ms, received_ms), flows, at)
    return on_event(profile, event, received_ms, flows, at)


def _counted(name: str) -> Step:
    def step(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
        at.effects.count(name, event.time_ms)
        return profile

    return step


_STEPS: dict[str, Step] = {
    "product_viewed": _counted("views"),
    "page_viewed": _counted("views"),
    "product_added": added,
    "product_removed": removed,
    "checkout_started": _counted("checkouts"),
    "order_completed": ordered,
    "order_refunded": taken_back,
    "order_cancelled": taken_back,
    IDENTITY_LINKED: joined,
    "signed_up": signed_up,
    **dict.fromkeys(CHANNEL_OF, answered),
}
