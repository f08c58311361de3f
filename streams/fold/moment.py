"""What folding one thing that happens to one customer needs to know."""

from __future__ import annotations

import msgspec

from streams.fold.partition_state import Knowledge
from streams.profiles.effects import Effects


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One customer at one instant of his clock."""

    customer: str
    now_ms: int
    cause: str
    """event_id, or timer:<name>:<due_ms>."""
    known: Knowledge
    effects: Effects


class Rejected(Exception):
    """The record cannot be folded: a dead letter. `reason` is a metric's label."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
