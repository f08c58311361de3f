"""Types of the topic `touchpoints`; schemas/avro says what each field means."""

from __future__ import annotations

import msgspec

ITEMS_MAX = 10_000
"""Lines, and properties, that a reader takes. By its bytes a record could have 450,000, which would take 0.1 s."""
LINES_LEFT_OUT = "lines_left_out"
"""The property that says how many lines were left out of a touchpoint with too many; the total of an order is whole."""

BOUNCE_TYPE = "bounce_type"
"""The property of email_bounced that says how it came back: one of SOFT_BOUNCES for now, anything else for good."""
SOFT_BOUNCES = frozenset({"soft", "transient", "temporary", "deferred"})
COMPLAINT = "complaint"
"""The property that makes an email_unsubscribed a report of spam, whatever its value is."""
CURRENCY = "currency"
"""The property of a touchpoint with products that names their currency, where it is not the shop's own. Orders have
theirs in `order`."""

IDENTITY_LINKED = "identity_linked"
IDENTITY_UNLINKED = "identity_unlinked"
ERASURE_REQUESTED = "erasure_requested"
"""The types of touchpoints that say who is who: a link, and a logout, after which a device is nobody's."""
PREVIOUS_ID = "previous_id"
"""The property of identity_linked that names a second user id of the same person, as an alias call of Segment does."""


CUSTOM = "custom"
"""The type of an event that is none of the canonical ones; `name` says which."""
PERSON = "person"
PREFETCH = "prefetch"
SCANNER = "scanner"
"""Who opened or clicked: a person, a program that loads pages or pictures ahead, or one that looks for malware."""


class Marketing(msgspec.Struct, frozen=True, gc=False):
    """Where the visit came from."""

    campaign_id: str | None = None
    click_id: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """The message that a touchpoint answers or reports."""

    message_id: str | None = None
    flow_id: str | None = None
    flow_version: int | None = None
    arm: str | None = None


class Order(msgspec.Struct, frozen=True, gc=False):
    """The order that was completed, refunded or cancelled."""

    order_id: str
    currency: str
    total_minor: int
    discount_minor: int = 0
    coupon: str | None = None


class Spend(msgspec.Struct, frozen=True, gc=False):
    """Money spent on marketing."""

    currency: str
    total_minor: int


class Consent(msgspec.Struct, frozen=True, gc=False):
    """A consent given or withdrawn."""

    channel: str
    granted: bool
    purpose: str | None = None
    at_most: int | None = None
    only_flow: str | None = None


class Product(msgspec.Struct, frozen=True, gc=False):
    """A line of a cart or an order."""

    sku: str
    price_minor: int
    quantity: int
    category: str | None = None


class Page(msgspec.Struct, frozen=True, gc=False):
    """The page on which it happened."""

    url: str | None = None
    referrer: str | None = None


class Touchpoint(msgspec.Struct, frozen=True, gc=False):
    """One thing that a customer did or received, in canonical form. Topics touchpoints and journal."""

    event_id: str
    type: str
    time_ms: int
    source: str = ""
    user_id: str | None = None
    anonymous_id: str | None = None
    email_hash: str | None = None
    session_id: str | None = None
    channel: str | None = None
    marketing: Marketing | None = None
    message: Message | None = None
    order: Order | None = None
    spend: Spend | None = None
    consent: Consent | None = None
    products: tuple[Product, ...] = ()
    country: str | None = None
    time_zone: str | None = None
    properties: dict[str, str] = msgspec.field(default_factory=dict)
    name: str | None = None
    traits: dict[str, str] = msgspec.field(default_factory=dict)
    page: Page | None = None
    agent: str | None = None


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The source watermark of a replay."""

    time_ms: int
