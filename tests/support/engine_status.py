"""An engine's word about itself, without one."""

from __future__ import annotations

from dataclasses import dataclass, field

JOURNAL = ("t.journal", 0)


@dataclass
class AnEngine:
    """Works, and owns one partition, unless said otherwise."""

    ready: bool = True
    polled_s: float = 10.0
    committed_s: float = 9.0
    commits: int = 7
    aborts: int = 1
    restore_s: float = 2.5
    unsent: int = 7
    silent_s: float = 0.5
    clock_ahead_s: float = -0.25
    failure: str = ""
    lost: dict[tuple[str, int], int] = field(default_factory=dict)
    owned: dict[tuple[str, int], int] = field(default_factory=lambda: {JOURNAL: 0})
    """Records that wait, by input partition."""
    share: float = 1.0
    """Of the state that is restored."""

    def lags(self) -> dict[tuple[str, int], int]:
        return self.owned

    def restored(self) -> dict[tuple[str, int], float]:
        return dict.fromkeys(self.owned, self.share)
