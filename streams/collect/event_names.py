"""Canonical types of the events of Segment's and RudderStack's specifications, however their names are written."""

from __future__ import annotations

import re
from typing import Final

from schemas.limits import TEXT_MAX

SPAM: Final = "email marked as spam"
SOFT_BOUNCE: Final = "email soft bounced"
_CANONICAL: Final = {
    "product viewed": "product_viewed",
    "product added": "product_added",
    "product added to cart": "product_added",
    "wishlist product added to cart": "product_added",
    "product removed": "product_removed",
    "product removed from cart": "product_removed",
    "checkout started": "checkout_started",
    "order completed": "order_completed",
    "order refunded": "order_refunded",
    "order cancelled": "order_cancelled",
    "order canceled": "order_cancelled",
    "products searched": "product_searched",
    "product searched": "product_searched",
    "signed up": "signed_up",
    "promotion viewed": "promotion_viewed",
    "promotion clicked": "promotion_clicked",
    "email delivered": "email_delivered",
    "email opened": "email_opened",
    "email link clicked": "email_clicked",
    "email clicked": "email_clicked",
    "email bounced": "email_bounced",
    SOFT_BOUNCE: "email_bounced",
    "unsubscribed": "email_unsubscribed",
    "email unsubscribed": "email_unsubscribed",
    SPAM: "email_unsubscribed",
    "sms delivered": "sms_delivered",
    "sms link clicked": "sms_clicked",
    "sms clicked": "sms_clicked",
    "push notification tapped": "push_opened",
    "push opened": "push_opened",
    "ad impression": "ad_impression",
    "ad clicked": "ad_clicked",
    "consent changed": "consent_changed",
    "ticket opened": "ticket_opened",
    "ticket closed": "ticket_closed",
    "loyalty changed": "loyalty_changed",
    "erasure requested": "erasure_requested",
    # version 1 of the e-commerce specification, which old libraries still send
    "viewed product": "product_viewed",
    "added product": "product_added",
    "removed product": "product_removed",
    "started checkout": "checkout_started",
    "started order": "checkout_started",
    "completed order": "order_completed",
    "refunded order": "order_refunded",
    "cancelled order": "order_cancelled",
    "searched products": "product_searched",
    "viewed promotion": "promotion_viewed",
    "clicked promotion": "promotion_clicked",
}
"""Names in small letters with single blanks. Every other event of the specifications is one of the shop's own."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN: Final = re.compile(r"[\s_.-]+")


def folded(name: str) -> str:
    """Return a name as the table has it: of "order_completed", "orderCompleted" and "ORDER COMPLETED" the same."""
    if len(name) > TEXT_MAX:
        return ""
    plain = _HUMP.sub(" ", name) if not name.isupper() else name
    return _BETWEEN.sub(" ", plain).strip().lower()


def type_of(name: str) -> str | None:
    """Return the canonical type of a folded name; None: it has none."""
    return _CANONICAL.get(name)
