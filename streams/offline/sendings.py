"""Messages that one set of flows sent in a period, and the outcomes of all candidates."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from schemas.outputs import DeadLetter, Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow import Flow

_REASON_VARIES = {"entered", "sent"}


class Sending(msgspec.Struct, gc=False):
    """A message that was decided and not withdrawn."""

    flow_id: str
    candidate_id: str
    time_ms: int
    goal_ms: int = 0
    """Time of the first event that was the flow's goal within its window; 0: none."""


class Sendings:
    """Messages and outcomes, collected while a journal is folded; times are those of the customers' clocks."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        """Collect from `from_ms` until just before `to_ms`."""
        self.from_ms = from_ms
        self.to_ms = to_ms
        self.of_customers: dict[str, list[Sending]] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """By (flow, outcome)."""
        self.reasons: Counter[tuple[str, str, str]] = Counter()
        """By (flow, outcome, sentence), for outcomes whose sentence says more."""
        self.failures: list[str] = []
        """Tracebacks of exceptions of flows' code."""
        self.flows: dict[str, Flow] = {}
        """As last published."""
        self.zone = "UTC"
        """Of days."""
        self._goals: dict[str, dict[str, int]] = {}

    def publish(self, flows: Mapping[str, Flow], zone: str) -> None:
        """Use these flows from here on, and days of this IANA time zone."""
        self.zone = zone
        for key, flow in flows.items():
            if key != flow.id:
                continue  # a shadow version sends nothing
            self.flows[key] = flow
            self._goals.setdefault(flow.goal.event, {})[flow.id] = flow.goal.window_ms

    def take(self, outputs: Iterable[tuple[str, msgspec.Struct | None]]) -> None:
        """Take in what the fold of one record emitted."""
        for customer, output in outputs:
            if isinstance(output, Decision):
                if output.outcome == "revoked":
                    self._take_back(customer, output.candidate_id)
                if self.from_ms <= output.time_ms < self.to_ms:
                    self._count(customer, output)
            elif isinstance(output, DeadLetter):
                self.failures.append(output.detail)

    def _count(self, customer: str, decision: Decision) -> None:
        flow_id, outcome = decision.flow_id, decision.outcome
        self.outcomes[flow_id, outcome] += 1
        if outcome not in _REASON_VARIES:
            self.reasons[flow_id, outcome, decision.reason] += 1
        if outcome == "sent":
            # the trigger may come later, as it waits for records that came in before it
            sending = Sending(flow_id, decision.candidate_id, decision.time_ms)
            self.of_customers.setdefault(customer, []).append(sending)

    def _take_back(self, customer: str, candidate_id: str) -> None:
        kept = [each for each in self.of_customers.pop(customer, []) if each.candidate_id != candidate_id]
        if kept:
            self.of_customers[customer] = kept

    def note(self, customer: str, event: Touchpoint) -> None:
        """Take in a folded touchpoint, which may be the goal of a message."""
        windows = self._goals.get(event.type)
        if windows is None or event.time_ms >= self.to_ms:
            return
        for sending in self.of_customers.get(customer, ()):
            window_ms = windows.get(sending.flow_id, 0)
            if not sending.goal_ms and 0 < event.time_ms - sending.time_ms < window_ms:
                sending.goal_ms = event.time_ms

    def merge(self, device: str, user: str) -> None:
        """Move a device's messages to its user, who turned out to be the same customer."""
        if device in self.of_customers:
            self.of_customers.setdefault(user, []).extend(self.of_customers.pop(device))
