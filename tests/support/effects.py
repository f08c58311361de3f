"""Effects of a fold, without one."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.outputs import Credit, Trigger

_TRIGGER = Trigger(
    trigger_id="t",
    customer="u:1",
    channel="email",
    flow_id="abandoned_cart",
    flow_version=1,
    arm="treatment",
    step="reminder",
    decided_ms=0,
    due_ms=0,
    expires_ms=1,
    reason="So it is.",
    user_id="1",
)
_CREDIT = Credit(
    credit_id="c",
    customer="u:1",
    order_id="o",
    model="linear",
    model_version=1,
    kind="credit",
    channel="email",
    amount_minor=0,
    currency="EUR",
    conversion_time_ms=0,
    time_ms=0,
    revision=0,
    cause="e",
)


def a_trigger(**fields: Any) -> Trigger:
    return msgspec.structs.replace(_TRIGGER, **fields)


def a_credit(amount_minor: int, **fields: Any) -> Credit:
    return msgspec.structs.replace(_CREDIT, amount_minor=amount_minor, **fields)
