"""What the profiles agent emits for others; schemas/avro says what each field means."""

from __future__ import annotations

import msgspec


class TriggerProduct(msgspec.Struct, frozen=True, gc=False):
    """An article to show."""

    sku: str
    price_minor: int
    quantity: int


class Trigger(msgspec.Struct, frozen=True, gc=False):
    """A message that a subscriber is to send to a customer."""

    trigger_id: str
    customer: str
    channel: str
    flow_id: str
    flow_version: int
    arm: str
    step: str
    decided_ms: int
    due_ms: int
    expires_ms: int
    reason: str
    user_id: str | None = None
    email_hash: str | None = None
    products: tuple[TriggerProduct, ...] = ()
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    attributes: dict[str, str] = msgspec.field(default_factory=dict)


class Revocation(msgspec.Struct, frozen=True, gc=False):
    """A trigger that is out and not due yet is taken back."""

    trigger_id: str
    customer: str
    flow_id: str
    channel: str
    reason: str
    time_ms: int


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A decision about one candidate of a flow, final or not."""

    candidate_id: str
    customer: str
    flow_id: str
    flow_version: int
    step: str
    arm: str
    outcome: str
    final: bool
    reason: str
    cause: str
    time_ms: int
    evidence: dict[str, str] = msgspec.field(default_factory=dict)
    models: dict[str, str] = msgspec.field(default_factory=dict)


class Credit(msgspec.Struct, frozen=True, gc=False):
    """A row of the attribution ledger."""

    credit_id: str
    customer: str
    order_id: str
    model: str
    model_version: int
    kind: str
    channel: str
    amount_minor: int
    currency: str
    conversion_time_ms: int
    time_ms: int
    revision: int
    cause: str
    campaign_id: str | None = None
    touch_id: str | None = None
    touch_time_ms: int | None = None


class SegmentChanged(msgspec.Struct, frozen=True, gc=False):
    """A customer moved to another segment."""

    change_id: str
    customer: str
    before: str
    after: str
    r: int
    f: int
    m: int
    cuts_version: str
    cause: str
    time_ms: int


class ProfileView(msgspec.Struct, frozen=True, gc=False):
    """What others may know of a customer."""

    customer: str
    segment: str
    r: int
    f: int
    m: int
    cuts_version: str
    scored_ms: int
    orders: int
    monetary_minor: int
    lifecycle: str
    cluster: int
    clusters_version: str
    user_id: str | None = None
    first_order_ms: int | None = None
    last_order_ms: int | None = None
    consent: dict[str, bool] = msgspec.field(default_factory=dict)
    devices: tuple[str, ...] = ()
    traits: dict[str, str] = msgspec.field(default_factory=dict)
    first_channel: str | None = None
    signup_source: str | None = None
    first_country: str | None = None


class ProfileMerged(msgspec.Struct, frozen=True, gc=False):
    """A user's profile is gone into another one's."""

    customer: str
    survivor: str
    cause: str
    time_ms: int
    undo_until_ms: int = 0


class ProfileDivided(msgspec.Struct, frozen=True, gc=False):
    """The merge of a user into another one was undone."""

    customer: str
    survivor: str
    why: str
    by: str
    time_ms: int
    divided: dict[str, int] = msgspec.field(default_factory=dict)
    not_divided: dict[str, int] = msgspec.field(default_factory=dict)


NOT_WHOLE = "not kept whole"
"""Part of the detail of a dead letter whose record was too large to be kept."""


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be used, as it came."""

    reason: str
    detail: str
    stage: str
    source_topic: str
    source_partition: int
    source_offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes] = msgspec.field(default_factory=dict)
    lines: int = 0
    received_ms: int = 0
    """Of a record of JSON: when it came in, by which the clock of its sender is corrected; 0: not known."""


class Retried(msgspec.Struct, frozen=True, gc=False):
    """A dead letter was brought back to its topic."""

    position: int
