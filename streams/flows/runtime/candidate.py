"""What a decision is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.flows.language.planning import CompiledFlow
    from streams.profiles.profile import Profile, Run


class Candidate:
    """A customer's run through a flow, whose next step is due; a plain class for the compiled wheel, as Moment."""

    __slots__ = ("arm", "plan", "profile", "run")

    def __init__(self, profile: Profile, run: Run, plan: CompiledFlow, arm: str) -> None:
        self.profile: Final = profile
        self.run: Final = run
        self.plan: Final = plan
        self.arm: Final = arm
