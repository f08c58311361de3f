"""Laws that hold whatever is published, paused, shared out and taken back while customers are in a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.journal import Configured
from schemas.outputs import Decision, Trigger
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.publishing import NotPublishable, paused, resumed, with_flow
from streams.settings import DomainSettings
from tests.support.flows import a_reminder
from tests.support.laws import every_candidate_is_final_once_or_open
from tests.support.world import START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.profile import Run

NAME = "abandoned_cart"
USERS = ("1", "2", "3", "4", "5")
STEPS = [
    {"name": "first", "do": "trigger"},
    {"name": "wait", "do": "wait", "for": "30h"},
    {"name": "second", "do": "trigger"},
]
FIRST = {**a_reminder(), "version": 1, "holdout_percent": 20, "steps": STEPS}
EVENTS = ("add", "add", "add", "order", "ticket", "nothing")
COMMANDS = ("pause", "resume", "move", "finish", "share", "larger share", "shadow", "take back")

histories = st.lists(
    st.tuples(st.sampled_from((*EVENTS, *COMMANDS)), st.sampled_from(USERS), st.integers(1, 20 * HOUR_MS)), max_size=60
)
History = list[tuple[str, str, int]]


class Shop:
    """Five customers of one partition, whose time comes before each thing that happens."""

    def __init__(self) -> None:
        domain = DomainSettings(
            clock="marks", touchpoint_partitions=1, journal_partitions=1, consent_default="granted", flows=(FIRST,)
        )
        self.world = World(domain)
        self.domain = domain
        self.version = 1
        self.now_ms = START_MS

    def live(self, history: History) -> None:
        for what, user, later_ms in history:
            self.now_ms += later_ms
            self._passes_time()
            if what in COMMANDS:
                self._publishes(what)
            elif what != "nothing":
                self.world.send(self._event(what, user))
                if what != "add":
                    # of a shadow that was taken back nobody listens any more: it ends when it is due
                    assert all(run.flow_id != NAME for run in self.runs(user))

    def runs(self, user: str) -> tuple[Run, ...]:
        profile = self.world.profile(f"u:{user}")
        return () if profile is None else profile.runs

    @property
    def is_paused(self) -> bool:
        state = self.domain.flow_states.get(NAME)
        return state is not None and state.paused_ms is not None

    def _passes_time(self) -> None:
        sent = len(self.world.emitted(Trigger))
        self.world.pass_time(self.now_ms)
        assert not self.is_paused or len(self.world.emitted(Trigger)) == sent

    def _event(self, what: str, user: str) -> Touchpoint:
        if what == "add":
            return an_add(self.now_ms, user=user)
        return an_order(self.now_ms, user=user) if what == "order" else a_touchpoint("ticket_opened", self.now_ms, user)

    def _publishes(self, what: str) -> None:
        try:
            domain = self._changed(what)
        except NotPublishable:
            return
        if domain != self.domain:
            self.domain = domain
            self.world.append("", Configured(domain.model_dump_json(), 0))

    def _changed(self, what: str) -> DomainSettings:
        if what == "pause":
            return paused(self.domain, NAME, self.now_ms)
        if what == "resume":
            return resumed(self.domain, NAME)
        state = self.domain.flow_states.get(NAME)
        canary = None if state is None else state.canary
        if what == "take back":
            return with_flow(self.domain, self.domain.flows[0], self.now_ms)
        if what == "larger share" and canary is not None:
            return with_flow(self.domain, canary.flow, self.now_ms, min(canary.percent + 30, 99))
        self.version += 1
        running = "finish" if what == "finish" else "move"
        flow: dict[str, Any] = {**FIRST, "version": self.version, "running_customers": running}
        percent = {"share": 40.0, "larger share": 60.0, "shadow": 0.0}.get(what)
        return with_flow(self.domain, flow, self.now_ms, percent)


def lived(history: History) -> Shop:
    shop = Shop()
    shop.live(history)
    return shop


@settings(deadline=None)
@given(histories)
def test_candidates_are_final_or_open(history: History) -> None:
    shop = lived(history)
    decisions, runs = shop.world.emitted(Decision), [run for user in USERS for run in shop.runs(user)]
    every_candidate_is_final_once_or_open(decisions, runs, shop.world.total("decisions_open"))
    assert "too_old" not in {item.outcome for item in decisions}
    assert len({run.flow_id for run in runs}) <= 2, "one that sends and one in the shadow"


@settings(deadline=None)
@given(histories)
def test_no_cap_is_exceeded_across_versions(history: History) -> None:
    triggers = lived(history).world.emitted(Trigger)
    for first in triggers:
        own = [other for other in triggers if other.customer == first.customer and other.decided_ms >= first.decided_ms]
        assert sum(other.decided_ms - first.decided_ms < 7 * DAY_MS for other in own) <= 3
        assert sum(other.decided_ms - first.decided_ms < 20 * HOUR_MS for other in own) == 1
        assert first.decided_ms <= first.expires_ms


@settings(deadline=None)
@given(histories)
def test_a_shadow_sends_nothing_and_is_of_one_version_beside_the_live_one(history: History) -> None:
    world = lived(history).world
    decisions = world.emitted(Decision)
    shadowed = {item.candidate_id for item in decisions if item.arm == "shadow"}
    assert not {item.candidate_id for item in decisions if item.outcome == "sent"} & shadowed
    assert {item.outcome for item in decisions if item.candidate_id in shadowed} <= {
        "entered",
        "exited",
        "held_out",
        "capped",
        "expired",
        "shadow",
        "paused",
        "deferred",
    }
    assert len(world.emitted(Trigger)) == sum(item.outcome == "sent" for item in decisions)
