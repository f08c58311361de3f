"""How many flows a customer may be in at once, and how many bytes their messages on the way may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.limits import RUNS_MAX
from streams.flows.language.arms import UNASSIGNED
from streams.flows.runtime.receipts import Verdict, give_receipt
from streams.profiles.bounds import attributes_bytes, bounded_products, utf8_bytes

if TYPE_CHECKING:
    from streams.profiles.moment import Moment
    from streams.profiles.profile import PendingMessage, Profile, Run

_replace = msgspec.structs.replace
_MESSAGE: Final = 800
"""Bytes of a pending message beside its texts of any length: numbers, ids, names of the flow, the step and the arm."""
_CART_FACTS: Final = frozenset({"cart_items", "cart_total_minor", "cart_added_ms"})
"""Facts that _MESSAGE counts."""
_TEXT_HEADS: Final = 6
_ARTICLE: Final = 60
"""Bytes of an article beside its name: a trigger is stored with the names of its fields."""


def has_room(profile: Profile) -> bool:
    """Return whether the customer may enter one more flow."""
    return len(profile.runs) < RUNS_MAX


def with_runs_that_fit(profile: Profile, at: Moment) -> Profile:
    """End the candidates that entered last beyond RUNS_MAX, and keep of their products what fits."""
    ordered = sorted(profile.runs, key=lambda run: (run.entered_ms, run.candidate_id))
    for run in ordered[RUNS_MAX:]:
        give_receipt(Verdict("exited", too_many_reason(), {}), run, UNASSIGNED, at)
    kept = {run.flow_id for run in ordered[:RUNS_MAX]}
    return _replace(profile, runs=tuple([_with_products(run) for run in profile.runs if run.flow_id in kept]))


def too_many_reason() -> str:
    """Return a sentence for people."""
    return f"The customer is in {RUNS_MAX} flows already, which is the most, so this one ends."


def message_bytes(message: PendingMessage) -> int:
    """Return how many bytes a pending message takes in a profile, or a few more."""
    trigger = message.trigger
    size = _MESSAGE + utf8_bytes(trigger.customer) + utf8_bytes(trigger.reason) + utf8_bytes(message.run.cause)
    size += utf8_bytes(trigger.user_id or "") + utf8_bytes(trigger.email_hash or "")
    for name, value in trigger.facts.items():
        if name not in _CART_FACTS:
            size += _TEXT_HEADS + utf8_bytes(name) + utf8_bytes(value)
    for name, value in trigger.attributes.items():
        size += _TEXT_HEADS + utf8_bytes(name) + utf8_bytes(value)
    for product in trigger.products:
        size += _ARTICLE + utf8_bytes(product.sku)
    return size


def _with_products(run: Run) -> Run:
    products = bounded_products(run.products, attributes_bytes(run.attributes))
    return run if products is run.products else _replace(run, products=products)
