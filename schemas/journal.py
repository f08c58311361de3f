"""Types that only the journal carries, beside touchpoints; schemas/avro says what each field means."""

from __future__ import annotations

from typing import Final

import msgspec

RULES: Final = 4
"""The newest number of the rules by which a journal is folded.

1: release 0.1. 2: every record costs a bounded amount of time, memory and output.
3: an order acts on what is older than it, and messages say what they are about.
4: people log out and users are merged, consent and caps belong to addresses, a pause takes back, an order has one
owner, and customers have attributes.
"""
SILENCE: Final = "silence"
"""Cause of a hold: touchpoints that the flow relies on have stopped arriving."""
HOLD_CAUSES: Final = (SILENCE,)
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


class Hold(msgspec.Struct, frozen=True, gc=False):
    """A flow holds its messages because something that it relies on is missing, or no longer does."""

    flow_id: str
    cause: str
    is_on: bool
    time_ms: int
    why: str = ""


class Link(msgspec.Struct, frozen=True, gc=False):
    """A device or an address belongs to a user, or two users are one person."""

    target: str
    time_ms: int
    cause: str
    users: int = 0
    """Between two users: how many user ids come with the greater one, asked and answered.

    0: not asked yet. -1: it waited, and had to go for a later one.
    """


class Unlink(msgspec.Struct, frozen=True, gc=False):
    """A link is over. With a survivor, that user takes the place of the target, who was merged into them."""

    target: str
    time_ms: int
    cause: str
    survivor: str = ""
    is_undone: bool = False
    """Whether the merge of the survivor into the target was undone, so that a mark moves back to a greater id."""


class Absorbed(msgspec.Struct, frozen=True, gc=False):
    """The profile of a device, or of a user, sent whole to the user that it turned out to be."""

    source: str
    profile: bytes
    time_ms: int
    hops: int = 0


class UndoMerge(msgspec.Struct, frozen=True, gc=False):
    """A person undoes the merge of a user. Without a source it asks for it; else a profile is on its way."""

    why: str
    by: str
    source: str = ""
    profile: bytes = b""
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class AddressConsent(msgspec.Struct, frozen=True, gc=False):
    """A statement of consent that belongs to an address, on its way between the address and a profile."""

    channel: str
    granted: bool
    time_ms: int
    cause: str


class AddressNotice(msgspec.Struct, frozen=True, gc=False):
    """What happened to an address, on its way between the address and the profiles that have it."""

    kind: str
    address: str
    time_ms: int
    received_ms: int
    cause: str
    purpose: str = ""
    source: str = ""
    is_server: bool = False
    at_most: int = 0
    only_flow: str = ""
    why: str = ""


class ToldChange(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to an order."""

    time_ms: int
    id_hash: int
    minor: int
    kind: int
    currency: str
    is_browser: bool = False
    is_new: bool = False


class OrderTold(msgspec.Struct, frozen=True, gc=False):
    """The part of an order that one profile knows, on its way to the order's entry."""

    order_id: str
    customer: str
    moved_from: str
    event_id: str
    is_completion: bool
    is_server: bool
    has_address: bool
    time_ms: int
    changes: tuple[ToldChange, ...] = ()
    hops: int = 0
    order_hash: int = 0


class OrderOwned(msgspec.Struct, frozen=True, gc=False):
    """The owner of an order, on its way from the order's entry to a profile that knows the order."""

    order_id: str
    owner: str
    cause: str
    changes: tuple[ToldChange, ...] = ()
    hops: int = 0


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A promotional message to an address."""

    candidate_id: str
    time_ms: int


class SlotLimit(msgspec.Struct, frozen=True, gc=False):
    """A limit in a rolling window."""

    messages: int
    within_ms: int


class SlotAsked(msgspec.Struct, frozen=True, gc=False):
    """What a profile has to say to its address of promotional messages, where others have the address too."""

    kind: str
    customer: str
    decided_ms: int
    slots: tuple[Slot, ...]
    limits: tuple[SlotLimit, ...] = ()


class SlotAnswered(msgspec.Struct, frozen=True, gc=False):
    """Whether a promotional message may go to an address that several profiles have."""

    candidate_id: str
    is_granted: bool
    messages: int = 0
    within_ms: int = 0
    found: int = 0


class SlotsDue(msgspec.Struct, frozen=True, gc=False):
    """An address is about to answer what it was asked."""

    time_ms: int
    turn: int


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


class Imported(msgspec.Struct, frozen=True, gc=False):
    """How far an import of history has come, in the transaction of what it speaks of; partition 0 alone has it."""

    import_id: str
    outcomes: int
    """Touchpoints and refused lines that are written, in the order of the files."""
    landed: int = 0
    """Customers whom the import has left, in the order in which it met them."""
    is_over: bool = False


class Landed(msgspec.Struct, frozen=True, gc=False):
    """An import has no more of this customer: where they are now they were before, and only what follows is news."""

    import_id: str


class Configured(msgspec.Struct, frozen=True, gc=False):
    """The settings on which decisions rest."""

    settings: str
    time_ms: int
    rules: int = 1
    """Number of the rules from here on; it never falls."""
    tzdata: str = ""
    """Version of the package whose time zones hold from here on; empty: whatever the worker's machine had."""


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
