"""One customer on the way through flows, without a fold."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.journal import RULES
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Touchpoint
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.runner import on_due, on_event
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import EMPTY, Cart, CartItem, Profile
from streams.settings import parse_domain
from tests.support.flows import a_flow, a_series

if TYPE_CHECKING:
    from streams.flows.language.flow_set import FlowSet

START_MS = 1_700_000_000_000
GRANTED = parse_domain('{"consent_default": "granted"}')
DENIED = parse_domain('{"consent_default": "denied"}')
CART = Cart(START_MS, START_MS, (CartItem("sku-1", 1_050, 2), CartItem("sku-2", 500, 1)))
OSLO = ZoneInfo("Europe/Oslo")
_ids = count()


def at(text: str, zone: ZoneInfo = OSLO) -> int:
    """Unix ms of a time there."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def an_event(kind: str = "product_added", time_ms: int = START_MS) -> Touchpoint:
    return Touchpoint(event_id=f"e{next(_ids)}", type=kind, time_ms=time_ms)


class Journey:
    """A customer on the way through flows. Their timers fire when the test says so."""

    def __init__(self, *flows: dict[str, Any], settings: Any = GRANTED, customer: str = "u:1") -> None:
        self.flows: FlowSet = compile_flows(flows or (a_flow(),))
        self.settings = settings
        self.customer = customer
        self.profile: Profile = msgspec.structs.replace(EMPTY, cart=CART, user_id="1", email_hash="hash")
        self.effects = Effects()
        self.rules = RULES

    def has(self, **changes: Any) -> Journey:
        self.profile = msgspec.structs.replace(self.profile, **changes)
        return self

    def meets(self, event: Touchpoint, received_ms: int | None = None) -> None:
        received_ms = event.time_ms if received_ms is None else received_ms
        at = self._at(received_ms, event.event_id)
        self.profile = on_event(self.profile, event, received_ms, self.flows, at)

    def comes_due(self, now_ms: int | None = None) -> None:
        run = min(self.profile.runs, key=lambda run: (run.due_ms, run.flow_id))
        now_ms = run.due_ms if now_ms is None else now_ms
        at = self._at(now_ms, f"timer:flow:{run.flow_id}:{run.due_ms}")
        self.profile = on_due(self.profile, run, self.flows, at, watermark_ms=now_ms)

    def _at(self, now_ms: int, cause: str) -> Moment:
        moment = Moment(self.customer, now_ms, cause, self.settings, self.effects)
        moment.rules = self.rules
        return moment

    @property
    def decisions(self) -> list[Decision]:
        return [record for _, record in self.effects.outputs if isinstance(record, Decision)]

    @property
    def outcomes(self) -> list[str]:
        return [decision.outcome for decision in self.decisions]

    @property
    def outcomes_by_step(self) -> list[tuple[str, str]]:
        return [(decision.step, decision.outcome) for decision in self.decisions]

    @property
    def triggers(self) -> list[Trigger]:
        return [record for _, record in self.effects.outputs if isinstance(record, Trigger)]

    @property
    def open(self) -> int:
        return self.effects.counts.get(("decisions_open", 0, ""), 0)


def through(*steps: dict[str, Any], **changes: Any) -> Journey:
    """A customer who has gone through all of it."""
    journey = Journey(a_series(*steps, **changes))
    journey.meets(an_event())
    while journey.profile.runs:
        journey.comes_due()
    return journey
