"""Facts, and what insights make of them; schemas/avro says what each field means."""

from __future__ import annotations

import msgspec


class Count(msgspec.Struct, frozen=True, gc=False):
    """An additive integer."""

    name: str
    hour_ms: int
    by: str
    value: int


class PanelRow(msgspec.Struct, frozen=True, gc=False):
    """Features of one panel customer at their weekly slot."""

    customer_hash: int
    slot_ms: int
    recency_ms: int
    orders: int
    monetary_minor: int
    gap_ms: int
    engagement: float


class Facts(msgspec.Struct, frozen=True, gc=False):
    """The sums of what the journal records of one commit counted."""

    partition: int
    complete_to_ms: int | None = None
    counts: tuple[Count, ...] = ()
    panel: tuple[PanelRow, ...] = ()
    is_imported: bool = False


class FieldCount(msgspec.Struct, frozen=True, gc=False):
    """A field of records as they were sent."""

    name: str
    kind: str
    count: int


class SourceCount(msgspec.Struct, frozen=True, gc=False):
    """Touchpoints of one source and type that were received in one hour."""

    source: str
    type: str
    hour_ms: int
    count: int
    live: int
    last_ms: int
    looked: int
    late: int
    ahead: int
    no_user: int
    no_key: int
    fields: tuple[FieldCount, ...] = ()


class Arrivals(msgspec.Struct, frozen=True, gc=False):
    """What one commit of collect wrote to the journal, by source."""

    series: tuple[SourceCount, ...] = ()


class Kpi(msgspec.Struct, frozen=True, gc=False):
    """A KPI of one closed window, or its correction."""

    name: str
    grain: str
    start_ms: int
    by: str
    numerator: int
    denominator: int
    revision: int
    value: float | None = None


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """A KPI left its expected range, or came back."""

    anomaly_id: str
    kpi: str
    by: str
    status: str
    start_ms: int
    time_ms: int
    observed: float
    expected: float
    score: float
    direction: str
    detector: str


class Model(msgspec.Struct, frozen=True, gc=False):
    """A published model."""

    kind: str
    version: str
    time_ms: int
    codec: str
    body: bytes
    library: str
    features_version: int
