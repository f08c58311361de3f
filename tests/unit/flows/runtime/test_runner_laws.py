"""Laws of the flows over random histories: caps, consent, exits and receipts hold always."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.consent import allowed, with_consent
from streams.flows.runtime.runner import on_due, on_event
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import EMPTY, Cart, CartItem, Profile
from streams.settings import parse_domain
from tests.support.flows import a_reminder
from tests.support.laws import every_candidate_is_final_once_or_open

START_MS = 1_700_000_000_000
SETTINGS = parse_domain('{"consent_default": "denied"}')
TEMPLATE = {**a_reminder(), "holdout_percent": 30, "needs": {}}
FLOWS = compile_flows(
    [
        TEMPLATE,
        {
            **TEMPLATE,
            "id": "searched",
            "entry": {"event": "product_searched"},
            "wait": {"for": "5h", "restarts": False},
        },
        {**TEMPLATE, "id": "by_sms", "channel": "sms", "entry": {"event": "product_viewed"}, "wait": {"for": "30m"}},
    ]
)
KINDS = ["product_added", "product_searched", "product_viewed", "order_completed", "ticket_opened", "granted", "denied"]

histories = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 30 * HOUR_MS),
        st.sampled_from([0, 0, 0, HOUR_MS, 25 * HOUR_MS]),
        st.sampled_from(["email", "sms", "all"]),
    ),
    max_size=60,
)
History = list[tuple[str, int, int, str]]


class Life:
    """One customer, whose timers fire before each event, as in the fold."""

    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.profile: Profile = msgspec.structs.replace(EMPTY, cart=Cart(1, 1, (CartItem("sku", 1, 1),)))
        self.effects = Effects()
        self.exits: list[tuple[int, set[str]]] = []
        """How many outputs there were at each exit event, and which flows were entered after it by their own time."""

    def live(self, history: History) -> None:
        now_ms = START_MS
        for number, (kind, later_ms, late_ms, channel) in enumerate(history):
            now_ms += later_ms
            self._fire(now_ms)
            if kind in {"granted", "denied"}:
                consents = with_consent(self.profile.consents, channel, granted=kind == "granted", time_ms=now_ms)
                self.profile = msgspec.structs.replace(self.profile, consents=consents)
                continue
            event = Touchpoint(event_id=f"e{number}", type=kind, time_ms=now_ms - late_ms)
            self.profile = on_event(self.profile, event, now_ms, FLOWS, self._at(now_ms, event.event_id))
            if kind in {"order_completed", "ticket_opened"}:
                assert all(run.last_entry_ms > event.time_ms for run in self.profile.runs)
                self.exits.append((len(self.effects.outputs), {run.flow_id for run in self.profile.runs}))

    def _fire(self, until_ms: int) -> None:
        while True:
            run = min(self.profile.runs, key=lambda run: (run.due_ms, run.flow_id), default=None)
            if run is None or run.due_ms > until_ms:
                return
            before = self.profile
            sent = len(self.triggers)
            at = self._at(run.due_ms, f"timer:flow:{run.flow_id}:{run.due_ms}")
            self.profile = on_due(before, run, FLOWS, at, watermark_ms=run.due_ms)
            (channel,) = FLOWS.flows[run.flow_id].ordered_channels
            if len(self.triggers) > sent:
                assert allowed(before.consents, channel, SETTINGS.consent_default)[0]

    def _at(self, now_ms: int, cause: str) -> Moment:
        return Moment(self.customer, now_ms, cause, SETTINGS, self.effects)

    @property
    def triggers(self) -> list[Trigger]:
        return [record for _, record in self.effects.outputs if isinstance(record, Trigger)]

    @property
    def decisions(self) -> list[Decision]:
        return [record for _, record in self.effects.outputs if isinstance(record, Decision)]


def lived(history: History, number: int) -> Life:
    life = Life(f"u:{number}")
    life.live([("granted", 0, 0, "all"), *history])
    return life


@settings(deadline=None)
@given(histories, st.integers(0, 20))
def test_no_cap_is_exceeded_in_any_rolling_window(history: History, number: int) -> None:
    triggers = lived(history, number).triggers
    for first in triggers:
        week = [other for other in triggers if 0 <= other.decided_ms - first.decided_ms < 7 * DAY_MS]
        assert len(week) <= 3
        near = [other for other in triggers if 0 <= other.decided_ms - first.decided_ms < 20 * HOUR_MS]
        assert max(Counter(other.channel for other in near).values()) == 1


@settings(deadline=None)
@given(histories, st.integers(0, 20))
def test_candidates_are_final_or_open(history: History, number: int) -> None:
    life = lived(history, number)
    counted_open = life.effects.counts.get(("decisions_open", 0, ""), 0)
    every_candidate_is_final_once_or_open(life.decisions, life.profile.runs, counted_open)
    assert len({run.flow_id for run in life.profile.runs}) == len(life.profile.runs)


@settings(deadline=None)
@given(histories, st.integers(0, 20))
def test_nothing_is_sent_after_an_exit_without_a_new_entry(history: History, number: int) -> None:
    life = lived(history, number)
    for place, newer in life.exits:
        entered = set(newer)
        for _, record in life.effects.outputs[place:]:
            if isinstance(record, Trigger):
                assert record.flow_id in entered
            elif isinstance(record, Decision) and record.outcome == "entered":
                entered.add(record.flow_id)


@settings(deadline=None)
@given(histories, st.integers(0, 20))
def test_a_held_out_customer_gets_nothing_and_a_customer_is_in_one_arm(history: History, number: int) -> None:
    life = lived(history, number)
    arms = {(item.flow_id, item.arm) for item in life.decisions}
    assert len(arms) == len({flow_id for flow_id, _ in arms})
    assert {(trigger.flow_id, "holdout") for trigger in life.triggers}.isdisjoint(arms)
