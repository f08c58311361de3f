"""Whether a worker is ready for work, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.telemetry.metrics import SILENT_S_MAX

if TYPE_CHECKING:
    from streams.telemetry.metrics import EngineStatus

POLL_AGE_MAX_S = 15.0
COMMIT_AGE_MAX_S = 60.0


def unready_reason(status: EngineStatus, now_s: float) -> str | None:
    """Return None if the worker is ready, or else one sentence. `now_s` is unix time.

    A worker without records commits nothing, so an old commit matters only if there is a lag.
    """
    if status.failure:
        return f"about to end: {status.failure}"
    behind = {f"{topic}/{partition}": share for (topic, partition), share in status.restored().items() if share < 1}
    if behind:
        return "restoring " + ", ".join(f"{name} ({share:.0%})" for name, share in sorted(behind.items()))
    if not status.ready:
        return "not a member of the group yet"
    return _silence(status, now_s)


def _silence(status: EngineStatus, now_s: float) -> str | None:
    """Return what has not happened for too long, in one sentence."""
    poll_age_s = now_s - status.polled_s
    if poll_age_s > POLL_AGE_MAX_S:
        return f"the poller has not polled for {poll_age_s:.0f} s"
    if status.silent_s > SILENT_S_MAX:
        return f"the brokers have not answered for {status.silent_s:.0f} s"
    lag = sum(status.lags().values())
    commit_age_s = now_s - status.committed_s
    if lag > 0 and status.commits > 0 and commit_age_s > COMMIT_AGE_MAX_S:
        return f"{lag} records wait, but the last commit was {commit_age_s:.0f} s ago"
    return None
