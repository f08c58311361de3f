"""A finished run, and the summary of all runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from streams.demo.report.accounting import balances, equations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streams.demo.report.accounting import Account
    from streams.demo.report.reading import Records
    from streams.demo.report.runs import Run
    from streams.replay.replayer import ReplaySummary


@dataclass(frozen=True, slots=True)
class Finished:
    """A run, its account from its topics, and how long the replay took until everything was processed."""

    run: Run
    prefix: str
    replayed: ReplaySummary
    account: Account
    records: Records

    @property
    def events_per_second(self) -> float:
        return self.account.touchpoints / self.replayed.seconds if self.replayed.seconds else 0.0


def write_summary(finished: Sequence[Finished], path: Path) -> None:
    """Write JSON with an object for each run, by its name."""
    runs = {each.run.name: _summary(each) for each in finished}
    ok = not any(balances(each.account) for each in finished)
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"ok": ok, "runs": runs}), indent=2))


def _summary(each: Finished) -> dict[str, Any]:
    return {
        "title": each.run.title,
        "file": each.run.path.name,
        "generated": each.run.is_generated,
        "prefix": each.prefix,
        "settings": each.run.domain.model_dump(mode="json", exclude={"flows"}),
        "seconds": round(each.replayed.seconds, 2),
        "events_per_second": round(each.events_per_second, 1),
        "replayed": {
            "marks": each.replayed.marks,
            "ticks": each.replayed.ticks,
            "first_ms": each.replayed.first_ms,
            "last_ms": each.replayed.last_ms,
            "end_ms": each.replayed.end_ms,
            "waited_seconds": round(each.replayed.waited_seconds, 2),
            "touchpoints_by_type": _types(each.replayed),
        },
        "account": msgspec.to_builtins(each.account),
        "equations": [
            {"claim": claim, "left": left, "right": right, "holds": left == right}
            for claim, left, right in equations(each.account)
        ],
    }


def _types(replayed: ReplaySummary) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in replayed.files.values():
        for kind, count in file.touchpoints.items():
            found[kind] = found.get(kind, 0) + count
    return dict(sorted(found.items()))
