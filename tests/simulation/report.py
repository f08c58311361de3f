"""A finding for people: what does not hold, in which case, and how to see it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.wire import SINGLE_OBJECT, WireError

if TYPE_CHECKING:
    from tests.simulation.checking import Finding
    from tests.simulation.history import Sent

_WHAT_MAX = 2_000


def shown(finding: Finding, smaller: Finding) -> str:
    """Describe a finding; `smaller` is what is left of it after shrinking."""
    case = smaller.case
    lines = [
        f"seed {finding.case.seed} is broken: {finding.what[:_WHAT_MAX]}",
        f"  after {', '.join(map(str, finding.happened)) or 'nothing went wrong'}",
        f"shrunken: {smaller.what[:_WHAT_MAX]}",
        f"  workers {case.workers}, records at most {case.batch_records_max} a batch, {case.cycle_records_max} a cycle",
        *(f"  fault {fault}" for fault in case.faults),
        *(f"  sent {_record(sent)}" for sent in case.sent),
        f"again: make simulate SEEDS=1 SEED={case.seed}",
    ]
    return "\n".join(lines)


def _record(sent: Sent) -> str:
    try:
        value = repr(SINGLE_OBJECT.decode(sent.value))
    except (ValueError, WireError):
        value = repr(sent.value)
    return f"{sent.at_s:.3f} s touchpoints-{sent.partition} {value}"
