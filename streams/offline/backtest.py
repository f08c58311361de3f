"""Folding of a journal's past with other flows: the same fold, but effects are kept and nothing is appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.offline.lanes import Lanes
from streams.offline.trial import Folded

if TYPE_CHECKING:
    from streams.offline.sendings import Sendings
    from streams.offline.trial import Past, Trial


def backtest(past: Past, trial: Trial, tried: Sendings, published: Sendings | None = None) -> Folded:
    """Fill `tried`, and `published` with what the published flows do in the same period.

    All partitions are folded side by side. What partitions send each other is taken from the journal, but for what
    hangs on flows: the profile that a device hands over to its user (Absorbed), and what profiles ask their address
    (SlotAsked, SlotAnswered, SlotsDue). The fold makes those again.

    Each partition begins at its last checkpoint before the trial, if there is one.

    Raises:
        NewerState: a later release wrote the journal.
        UnfitCheckpoint: a checkpoint is damaged, or belongs to another journal.
    """
    lanes = Lanes(past, trial, tried, published)
    for message in past.journal.records(lanes.starts):
        lanes.take(message)
        if lanes.are_over:
            break
    lanes.end()
    begin_ms, end_ms = lanes.period
    return Folded(lanes.records, begin_ms if end_ms else 0, min(end_ms, trial.to_ms))
