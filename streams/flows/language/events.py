"""Types of touchpoints and channels that a flow may name."""

from __future__ import annotations

from typing import Literal, TypeAlias

EventType: TypeAlias = Literal[
    "ad_clicked",
    "ad_impression",
    "checkout_started",
    "consent_changed",
    "email_bounced",
    "email_clicked",
    "email_delivered",
    "email_opened",
    "email_unsubscribed",
    "loyalty_changed",
    "order_cancelled",
    "order_completed",
    "order_refunded",
    "page_viewed",
    "product_added",
    "product_removed",
    "product_searched",
    "product_viewed",
    "promotion_clicked",
    "promotion_viewed",
    "push_opened",
    "signed_up",
    "sms_clicked",
    "sms_delivered",
    "ticket_closed",
    "ticket_opened",
]
Channel: TypeAlias = Literal["email", "sms", "push"]
