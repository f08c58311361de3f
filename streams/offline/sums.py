"""Sums of the facts of one journal partition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.insights import Facts, PanelRow


@dataclass(slots=True)
class Sums:
    """The sums of the facts of one journal partition."""

    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """By (name, hour_ms, by)."""
    panel: Counter[PanelRow] = field(default_factory=Counter)

    def add(self, facts: Facts) -> None:
        """Add one record of the topic."""
        for count in facts.counts:
            self.counts[count.name, count.hour_ms, count.by] += count.value
        self.panel.update(facts.panel)
