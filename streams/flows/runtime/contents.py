"""What a message is about: articles, an order, an offer, and facts for its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.flows.language.steps import TriggerStep
from streams.profiles.effects import hash_64
from streams.profiles.rfm import segment_of
from streams.profiles.zones import zone_of

if TYPE_CHECKING:
    from streams.flows.runtime.candidate import Candidate
    from streams.profiles.moment import Moment
    from streams.profiles.profile import CartItem, PlacedOrder, Profile


def is_empty(candidate: Candidate) -> bool:
    """Return whether the message would show nothing and offer nothing, though its flow says what it is about."""
    flow, profile = candidate.plan.flow, candidate.profile
    if not flow.says_content or _offer(candidate) is not None:
        return False
    match flow.products:
        case "order":
            return _order(candidate) is None
        case "entry":
            return not candidate.run.products
    return profile.cart is None


def articles(candidate: Candidate) -> tuple[CartItem, ...]:
    """Return the articles that the message shows."""
    profile, products = candidate.profile, candidate.plan.flow.products
    if products == "cart" and profile.cart is not None:
        return profile.cart.items
    if products != "order":
        return candidate.run.products
    order, content = _order(candidate), profile.order_content
    if order is not None and content is not None and content.id_hash == order.id_hash:
        return content.products
    # of two orders of one instant nobody knows which of them entered the flow
    return candidate.run.products if _of_entry(candidate) == [order] else ()


def template_facts(candidate: Candidate, at: Moment) -> dict[str, str]:
    """Return what the template is to know beside articles and cart."""
    profile, flow, settings = candidate.profile, candidate.plan.flow, at.settings
    facts = {
        "class": flow.message_class,
        "currency": settings.reporting_currency,
        "time_zone": str(zone_of(profile.time_zone, settings.reporting_time_zone)),
        "segment": segment_of(profile.score),
    }
    offer = _offer(candidate)
    if offer is not None:
        facts["offer"] = offer
    order = _order(candidate) if flow.products == "order" else None
    if order is not None:
        facts |= _order_facts(profile, order)
    return facts


def _offer(candidate: Candidate) -> str | None:
    step = candidate.plan.places[candidate.run.step].step
    return step.offer if isinstance(step, TriggerStep) else None


def _order(candidate: Candidate) -> PlacedOrder | None:
    """Return the order that entered the flow, or the last one if none did; None: it does not count."""
    orders = [order for order in _of_entry(candidate) or candidate.profile.orders if order.counts]
    return orders[-1] if orders else None


def _of_entry(candidate: Candidate) -> list[PlacedOrder]:
    """Return the orders of the instant at which an order entered the flow."""
    if not candidate.plan.flow.shows_entry:
        return []
    run = candidate.run
    entry_ms = run.last_entry_ms or run.entered_ms
    return [order for order in candidate.profile.orders if order.time_ms == entry_ms]


def _order_facts(profile: Profile, order: PlacedOrder) -> dict[str, str]:
    facts = {"order_time_ms": str(order.time_ms)}
    known = _known(profile, order)
    if known is not None:
        order_id, facts["currency"], total_minor = known
        return facts | {"order_id": order_id, "order_total_minor": str(total_minor)}
    return facts | {"order_total_minor": str(order.total_minor)} if order.total_minor else facts


def _known(profile: Profile, order: PlacedOrder) -> tuple[str, str, int] | None:
    """Return id, currency and total of the last order, or of one whose credit is open; None: they are not known."""
    content = profile.order_content
    if content is not None and content.id_hash == order.id_hash:
        return content.order_id, content.currency, content.total_minor
    for credited in reversed(profile.conversions):
        if credited.time_ms == order.time_ms and hash_64(credited.order_id) == order.id_hash:
            return credited.order_id, credited.currency, order.total_minor or credited.value_minor
    return None
