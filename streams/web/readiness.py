"""When a worker may be sent work, and else why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.telemetry.metrics import EngineStatus

POLL_AGE_MAX_S = 15.0
COMMIT_AGE_MAX_S = 60.0


def unready_reason(status: EngineStatus, now_s: float) -> str | None:
    """None: ready. Else one sentence. `now_s` is unix time.

    A worker without records commits nothing, so an old commit counts only where there is a lag.
    """
    behind = {f"{topic}/{partition}": share for (topic, partition), share in status.restored().items() if share < 1}
    if behind:
        return "restoring " + ", ".join(f"{name} ({share:.0%})" for name, share in sorted(behind.items()))
    if not status.ready:
        return "no seat in the group yet"
    poll_age_s = now_s - status.polled_s
    if poll_age_s > POLL_AGE_MAX_S:
        return f"the poller has not come round for {poll_age_s:.0f} s"
    lag = sum(status.lags().values())
    commit_age_s = now_s - status.committed_s
    if lag > 0 and status.commits > 0 and commit_age_s > COMMIT_AGE_MAX_S:
        return f"{lag} records wait and the last commit was {commit_age_s:.0f} s ago"
    return None
