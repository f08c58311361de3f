"""Receipts: each decision about a candidate is a record, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from schemas.journal import RULES_3
from schemas.outputs import Decision
from streams.flows.language.arms import SHADOW, SHADOW_KEY
from streams.profiles.features import CLUSTERS_KIND
from streams.profiles.scores import CUTS_KIND

if TYPE_CHECKING:
    from streams.profiles.effects import Effects
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Profile, Run

Outcome = Literal[
    "entered",
    "deferred",
    "sent",
    "held_out",
    "capped",
    "quiet",
    "suppressed",
    "no_consent",
    "no_address",
    "exited",
    "expired",
    "too_old",
    "cold",
    "paused",
    "held_by_silence",
    "shadow",
    "outranked",
    "revoked",
    "late_withdrawal",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
HELD: Final = "held_by_silence"
OPEN: Final = "decisions_open"
"""Fact: candidates without a final decision."""
_NOT_FINAL = {"entered", "deferred", "held_by_silence", "revoked", "late_withdrawal"}
_OPENED = {
    "entered": 1,
    "deferred": 0,
    "held_by_silence": 0,
    "too_old": 0,
    "cold": 0,
    "revoked": 0,
    "late_withdrawal": 0,
}


class Verdict(NamedTuple):
    """What became of a candidate, why, and the evidence."""

    outcome: Outcome
    reason: str
    """One sentence for people."""
    evidence: dict[str, str]
    channel: str = ""
    """By which the message goes out; empty: none does."""
    until_ms: int = 0
    """When a deferred candidate is due again, or a message that is sent is to go out; 0: at once."""
    is_held: bool = False
    """Whether a deferred message expires as if it had not been deferred."""


def give_receipt(verdict: Verdict, run: Run, arm: str, at: Moment, profile: Profile | None = None) -> None:
    """Emit the decision about a run; candidates = final + open, where too_old and cold open and close one at once.

    A message that is revoked, or was out when a withdrawal came in, has had its outcome, so it counts for neither.
    With the profile on which it rests, the decision names the models by which that was scored.
    """
    outcome, flow_id = verdict.outcome, run.flow_id
    if flow_id.startswith(SHADOW_KEY):
        flow_id, arm = flow_id.removeprefix(SHADOW_KEY), SHADOW
    at.effects.emit(
        at.customer,
        Decision(
            candidate_id=run.candidate_id,
            customer=at.customer,
            flow_id=flow_id,
            flow_version=run.flow_version,
            step=run.step,
            arm=arm,
            outcome=outcome,
            final=outcome not in _NOT_FINAL,
            reason=verdict.reason,
            cause=run.cause,
            time_ms=at.now_ms,
            evidence=verdict.evidence,
            models={} if profile is None or at.rules < RULES_3 else _models(profile),
        ),
    )
    at.effects.count("decisions", by=f"outcome={outcome}")
    opened = _OPENED.get(outcome, -1)
    if opened:
        at.effects.count(OPEN, value=opened)


def _models(profile: Profile) -> dict[str, str]:
    """Return the versions of the models that gave the customer a segment and a cluster, by kind."""
    models = {}
    if profile.score is not None and profile.score.cuts_version:
        models[CUTS_KIND] = profile.score.cuts_version
    if profile.clusters_version:
        models[CLUSTERS_KIND] = profile.clusters_version
    return models


def check_receipts(candidates: int, effects: Effects) -> None:
    """Count the candidates that a record added to profiles, or took away, without a receipt."""
    if candidates or effects.outputs:
        receipted = sum([value for (name, _, _), value in effects.increments if name == OPEN])
        receipted += effects.ones.count((OPEN, 0, ""))
        if receipted != candidates:
            effects.count("candidates_unaccounted", value=abs(receipted - candidates))
