"""What a machine looked at is counted, and changes nothing else.

Programs of mailboxes load pictures ahead, those that look for malware follow links, and crawlers read pages. A customer
who seems to answer because of them would get more messages and at wrong hours, and rates would be wrong. What somebody
does on purpose counts, also if a program did it: a cart, an order, a login, and above all a withdrawal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.journal import RULES_4
from schemas.touchpoint import CUSTOM, PREFETCH, SCANNER

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.effects import Effects

MACHINES: Final = frozenset({PREFETCH, SCANNER})
MACHINE_OPENS: Final = "machine_opens"
MACHINE_CLICKS: Final = "machine_clicks"
MACHINE_VIEWS: Final = "machine_views"
FACTS: Final = {
    "email_opened": MACHINE_OPENS,
    "push_opened": MACHINE_OPENS,
    "email_clicked": MACHINE_CLICKS,
    "sms_clicked": MACHINE_CLICKS,
    "ad_clicked": MACHINE_CLICKS,
    "promotion_clicked": MACHINE_CLICKS,
    "ad_impression": MACHINE_VIEWS,
    "promotion_viewed": MACHINE_VIEWS,
    "page_viewed": MACHINE_VIEWS,
    "product_viewed": MACHINE_VIEWS,
    "product_searched": MACHINE_VIEWS,
    CUSTOM: MACHINE_VIEWS,
}
"""The fact under which each type is counted that a machine can cause only by looking."""


def machine_fact(event: Touchpoint, rules: int) -> str | None:
    """Return the fact under which a touchpoint is counted and nothing else; None: it counts as a person's."""
    return FACTS.get(event.type) if event.agent in MACHINES and rules >= RULES_4 else None


def count_machine(fact: str, event: Touchpoint, effects: Effects) -> None:
    """Count what a machine looked at, in the hour in which it did."""
    effects.count("folded")
    effects.count(fact, event.time_ms)
