"""What users do in random histories, and the shop that it happens in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent, Product
from streams.flows.language.flow_set import compile_flows
from tests.support.flow_sets import CUTS, ZONE
from tests.support.world import DAY_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow import Flow


LONG_MS = 1_000 * DAY_MS
"""Of history, so that flows about absence decide."""


class Thing(NamedTuple):
    """Something that a user does, so long after what was before."""

    user: str
    kind: str
    """A touchpoint's type, or `denied` or `granted` for consent."""
    later_ms: int
    late_ms: int
    """How long it took to come in."""
    channel: str
    """Of consent."""


def a_touch(number: int, thing: Thing, at_ms: int) -> Touchpoint:
    """A refund is of the order two things before, if that was the same customer's; else it would reach another one."""
    fields: dict[str, Any] = {"event_id": f"e{number}", "time_zone": ZONE}
    match thing.kind:
        case "order_completed":
            return an_order(at_ms, 1_000 * (number % 20 + 1), thing.user, order_id=f"o{thing.user}-{number}", **fields)
        case "order_refunded":
            return a_refund(at_ms, f"o{thing.user}-{number - 2}", 20_000, thing.user, **fields)
        case "product_added":
            return an_add(at_ms, user=thing.user, **fields)
        case "denied" | "granted":
            consent = Consent(thing.channel, granted=thing.kind == "granted")
            return a_touchpoint("consent_changed", at_ms, thing.user, consent=consent, **fields)
    return a_touchpoint(thing.kind, at_ms, thing.user, products=(Product("mug", 900, 1, "mugs"),), **fields)


class Shop:
    """A world with these flows, and what follows from their documents."""

    def __init__(self, documents: Sequence[dict[str, Any]], **settings: Any) -> None:
        self.flows: dict[str, Flow] = compile_flows(documents).flows
        self.world = World(flows=documents, cuts_fixed=CUTS, **settings)
        self.world.begin(START_MS - LONG_MS)

    @property
    def customers(self) -> list[str]:
        return [customer for customer in ("u:1", "u:2") if self.world.profile(customer) is not None]

    def sent(self, customer: str | None = None, *, is_promotional: bool | None = None) -> list[Trigger]:
        """Messages that nothing has taken back, as they were decided."""
        taken_back = {revocation.trigger_id for revocation in self.world.emitted(Revocation, customer)}
        return [
            one
            for one in self.world.emitted(Trigger, customer)
            if one.trigger_id not in taken_back and is_promotional in {None, self.flows[one.flow_id].is_promotional}
        ]

    def records(self, customer: str, flow_ids: set[str] | None = None) -> list[Any]:
        """Every record about a customer's messages, or those of some flows."""
        records: list[Any] = [
            record for kind in (Decision, Trigger, Revocation) for record in self.world.emitted(kind, customer)
        ]
        return [record for record in records if flow_ids is None or record.flow_id in flow_ids]
