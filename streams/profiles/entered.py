"""When a customer entered a flow that limits reentry."""

from __future__ import annotations

import msgspec


class Entered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last entry into a flow that limits reentry."""

    flow_id: str
    time_ms: int
