"""Types that only the journal carries, beside touchpoints; schemas/avro describes each field."""

from __future__ import annotations

import msgspec


class PartitionProgress(msgspec.Struct, frozen=True, gc=False):
    """One input partition."""

    partition: int
    time_ms: int


class CollectedTo(msgspec.Struct, frozen=True, gc=False):
    """How far the input partitions of one worker are in the journal."""

    partitions: tuple[PartitionProgress, ...] = ()


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far time has come: everything collected up to then is folded, with all records forwarded because of it."""

    partitions: tuple[PartitionProgress, ...] = ()


class Wake(msgspec.Struct, frozen=True, gc=False):
    """More timers are due than one record may fire."""

    time_ms: int


class Link(msgspec.Struct, frozen=True, gc=False):
    """A device or an address belongs to a user."""

    target: str
    time_ms: int
    cause: str


class Absorbed(msgspec.Struct, frozen=True, gc=False):
    """A device's whole profile, sent to the user that it belongs to."""

    source: str
    profile: bytes
    time_ms: int
    hops: int = 0


class AddressConsent(msgspec.Struct, frozen=True, gc=False):
    """Consent of an address, sent to a profile; consent belongs to the address."""

    channel: str
    granted: bool
    time_ms: int
    cause: str


class Unparked(msgspec.Struct, frozen=True, gc=False):
    """A timer whose code failed may fire again."""

    timer: str


class Configured(msgspec.Struct, frozen=True, gc=False):
    """The settings that decide."""

    settings: str
    time_ms: int


class ModelChunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of a model."""

    kind: str
    version: str
    index: int
    count: int
    codec: str
    body: bytes


class TickedModel(msgspec.Struct, frozen=True, gc=False):
    """One kind of model."""

    kind: str
    reason: str
    version: str | None = None


class ModelTick(msgspec.Struct, frozen=True, gc=False):
    """A week is over in every partition: these models apply from here on."""

    time_ms: int
    panel_share_ppm: int
    models: tuple[TickedModel, ...] = ()
