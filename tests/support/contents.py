"""What a message carries, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.outputs import Trigger

SUBJECTS = frozenset({"products", "order", "offer"})
"""A message without any of these would be empty."""
ALWAYS = ("class", "currency", "time_zone", "segment")


def carried(trigger: Trigger) -> tuple[str, ...]:
    """Names of what the message carries: articles, an order, an offer, and what every message says."""
    facts = trigger.facts
    subjects = (
        ("products", bool(trigger.products)),
        ("order", "order_time_ms" in facts),
        ("offer", "offer" in facts),
    )
    return tuple([name for name, has in subjects if has] + [name for name in ALWAYS if facts.get(name)])


def is_empty(trigger: Trigger) -> bool:
    """Whether the message has nothing to show and offers nothing."""
    return SUBJECTS.isdisjoint(carried(trigger))
