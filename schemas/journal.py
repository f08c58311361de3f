"""Types that only the journal carries, beside touchpoints; schemas/avro says what each field means."""

from __future__ import annotations

from typing import Final

import msgspec

RULES: Final = 4
"""The newest number of the rules by which a journal is folded.

1: release 0.1. 2: every record costs a bounded amount of time, memory and output.
3: an order acts on what is older than it, and messages say what they are about.
4: a pause takes back at once what is out.
"""
RULES_3: Final = 3
"""What holds from rules 3 on asks for at least this number."""
RULES_4: Final = 4
"""What holds from rules 4 on asks for at least this number."""


class PartitionProgress(msgspec.Struct, frozen=True, gc=False):
    """The time of one input partition."""

    partition: int
    time_ms: int


class CollectedTo(msgspec.Struct, frozen=True, gc=False):
    """Source watermarks: up to when the input partitions of one worker are in the journal."""

    partitions: tuple[PartitionProgress, ...] = ()


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Watermarks: what was collected up to then is folded, and so is what was forwarded because of it."""

    partitions: tuple[PartitionProgress, ...] = ()


class Wake(msgspec.Struct, frozen=True, gc=False):
    """More timers are due than one record may fire: fire the next ones."""

    time_ms: int


class TimeReset(msgspec.Struct, frozen=True, gc=False):
    """A person takes time back that a wrong clock pushed ahead: to the append of this record, by the broker's clock."""

    reason: str
    after_ms: int = 0
    after_key: bytes = b""


class Recall(msgspec.Struct, frozen=True, gc=False):
    """Flows were paused: take back what is out of the customers with timers behind one and up to another."""

    after_ms: int
    after_key: bytes
    to_ms: int
    to_key: bytes
    until_ms: int
    """Timers due later are nobody's who may have a message out."""


class Link(msgspec.Struct, frozen=True, gc=False):
    """A device or an address belongs to a user."""

    target: str
    time_ms: int
    cause: str


class Absorbed(msgspec.Struct, frozen=True, gc=False):
    """A device's profile, sent whole to the user that it turned out to be."""

    source: str
    profile: bytes
    time_ms: int
    hops: int = 0


class AddressConsent(msgspec.Struct, frozen=True, gc=False):
    """A statement of consent that belongs to an address, on its way between the address and a profile."""

    channel: str
    granted: bool
    time_ms: int
    cause: str


class Unparked(msgspec.Struct, frozen=True, gc=False):
    """A timer that was parked because its code raised may fire again."""

    timer: str


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """An earlier record of this partition was set aside. It is left out when the journal is folded again.

    With a timer, that one was set aside as the record fired it, and the record itself was folded.
    """

    offset: int
    reason: str
    customer: str = ""
    timer: str = ""
    firing: int = 0


class Configured(msgspec.Struct, frozen=True, gc=False):
    """The settings on which decisions rest."""

    settings: str
    time_ms: int
    rules: int = 1
    """Number of the rules from here on; it never falls."""


class ModelChunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of a model."""

    kind: str
    version: str
    index: int
    count: int
    codec: str
    body: bytes


class TickedModel(msgspec.Struct, frozen=True, gc=False):
    """The model of one kind at a tick."""

    kind: str
    reason: str
    version: str | None = None


class ModelTick(msgspec.Struct, frozen=True, gc=False):
    """A week is over in every partition: the models that hold from here on."""

    time_ms: int
    panel_share_ppm: int
    models: tuple[TickedModel, ...] = ()
    first_event_ms: int = 0
    """Where the shop's history begins, by event time; 0: unknown."""
