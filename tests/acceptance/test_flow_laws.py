"""What holds of any flows that anyone might publish, over random histories."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent, Product
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.consent import allowed, with_consent
from streams.flows.runtime.hours import next_quiet_ms, quiet_until_ms, zone_of
from tests.support.flow_sets import CUTS, ZONE, flow_sets, goes_ms
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.flows.language.flow import Flow
    from streams.profiles.profile import ConsentState

    Documents = list[dict[str, Any]]

pytestmark = pytest.mark.acceptance

USERS = ("1", "2")
KINDS = (
    "product_viewed",
    "product_viewed",
    "product_added",
    "product_added",
    "order_completed",
    "order_completed",
    "order_refunded",
    "signed_up",
    "ticket_opened",
    "page_viewed",
    "email_opened",
    "denied",
    "granted",
)


class Thing(NamedTuple):
    """Something that a user does, so long after what was before."""

    user: str
    kind: str
    later_ms: int
    late_ms: int
    """How long it took to come in; consent is told at once."""
    channel: str


things = st.builds(
    Thing,
    st.sampled_from(USERS),
    st.sampled_from(KINDS),
    st.one_of(st.integers(0, 3 * HOUR_MS), st.integers(0, 12 * HOUR_MS), st.integers(0, 12 * DAY_MS)),
    st.sampled_from([0, 0, 0, 0, HOUR_MS, 25 * HOUR_MS]),
    st.sampled_from(["email", "sms", "push", "all"]),
)
histories = st.lists(things, min_size=12, max_size=40)


def a_touch(number: int, thing: Thing, at_ms: int) -> Touchpoint:
    fields: dict[str, Any] = {"event_id": f"e{number}", "time_zone": ZONE}
    match thing.kind:
        case "order_completed":
            return an_order(at_ms, 1_000 * (number % 20 + 1), thing.user, order_id=f"o{number}", **fields)
        case "order_refunded":
            return a_refund(at_ms, f"o{number - 2}", 20_000, thing.user, **fields)
        case "product_added":
            return an_add(at_ms, user=thing.user, **fields)
        case "denied" | "granted":
            consent = Consent(thing.channel, granted=thing.kind == "granted")
            return a_touchpoint("consent_changed", at_ms, thing.user, consent=consent, **fields)
    return a_touchpoint(thing.kind, at_ms, thing.user, products=(Product("mug", 900, 1, "mugs"),), **fields)


class Shop:
    """A world with these flows, and what follows from their documents."""

    def __init__(self, documents: Documents) -> None:
        self.flows: dict[str, Flow] = compile_flows(documents).flows
        self.world = World(flows=documents, cuts_fixed=CUTS, reporting_time_zone=ZONE)

    def live(self, history: list[Thing], users: tuple[str, ...] = USERS, *, is_apart: bool = False) -> Shop:
        """Time comes to every third thing; until then records may be ordered by user."""
        now_ms = START_MS
        waiting: list[tuple[str, Touchpoint, int]] = []
        for number, thing in enumerate(history):
            now_ms += thing.later_ms
            late_ms = 0 if thing.kind in {"denied", "granted"} else thing.late_ms
            if thing.user in users:
                waiting.append((thing.user, a_touch(number, thing, now_ms - late_ms), now_ms))
            if number % 3 == 2:
                self._comes_in(sorted(waiting, key=lambda item: item[0]) if is_apart else waiting)
                waiting = []
                self.world.pass_time(now_ms)
        self._comes_in(waiting)
        self.world.pass_time(now_ms + 30 * DAY_MS)
        return self

    def _comes_in(self, waiting: list[tuple[str, Touchpoint, int]]) -> None:
        for user, event, now_ms in waiting:
            self.world.send(event, received_ms=now_ms)
            profile = self.world.profile(f"u:{user}")
            for run in () if profile is None else profile.runs:
                is_exit = event.type in self.flows[run.flow_id].exit_events
                assert not is_exit or run.cause == event.event_id, (
                    "out means out, but a segment may let a customer in again"
                )

    @property
    def customers(self) -> list[str]:
        return [customer for customer in ("u:1", "u:2") if self.world.profile(customer) is not None]

    def sent(self, customer: str | None = None, *, is_promotional: bool | None = None) -> list[Trigger]:
        """Messages that nothing has taken back, as they were decided."""
        taken_back = {revocation.trigger_id for revocation in self.world.emitted(Revocation, customer)}
        return [
            one
            for one in self.world.emitted(Trigger, customer)
            if one.trigger_id not in taken_back and is_promotional in {None, self.flows[one.flow_id].is_promotional}
        ]

    def told(self, customer: str, flow_ids: set[str] | None = None) -> list[Any]:
        """Every record about a customer's messages, or those of some flows."""
        records: list[Any] = [
            record for kind in (Decision, Trigger, Revocation) for record in self.world.emitted(kind, customer)
        ]
        return [record for record in records if flow_ids is None or record.flow_id in flow_ids]


law = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@law
@given(flow_sets(), histories)
def test_no_message_exceeds_a_cap_of_its_flow(documents: Documents, history: list[Thing]) -> None:
    shop = Shop(documents).live(history)
    for customer in shop.customers:
        sent = shop.sent(customer, is_promotional=True)
        for number, one in enumerate(sent):
            caps = shop.flows[one.flow_id].caps
            limits = [(None, 7 * DAY_MS, caps.per_week), (one.channel, caps.per_channel_hours * HOUR_MS, 1)]
            limits += [(cap.channel, cap.within_ms, cap.messages) for cap in caps.rolling]
            for channel, within_ms, most in limits:
                if not within_ms or channel not in {None, one.channel}:
                    continue
                own = [other for other in sent[: number + 1] if channel in {None, other.channel}]
                assert sum(goes_ms(other) > goes_ms(one) - within_ms for other in own) <= most


@law
@given(flow_sets(), histories)
def test_no_rolling_window_holds_more_than_the_widest_caps_allow(documents: Documents, history: list[Thing]) -> None:
    shop = Shop(documents).live(history)
    caps = [flow.caps for flow in shop.flows.values() if flow.is_promotional]
    for customer in shop.customers:
        sent = shop.sent(customer, is_promotional=True)
        for first in sent:
            after_ms = [(goes_ms(other) - goes_ms(first), other.channel) for other in sent]
            week = [channel for ms, channel in after_ms if 0 <= ms < 7 * DAY_MS]
            assert len(week) <= max(cap.per_week for cap in caps)
            hours = min(cap.per_channel_hours for cap in caps)
            near = [channel for ms, channel in after_ms if 0 <= ms < hours * HOUR_MS]
            assert all(count == 1 for count in Counter(near).values())


@law
@given(flow_sets(), histories)
def test_no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(documents: Documents, history: list[Thing]) -> None:
    shop = Shop(documents).live(history)
    zone = zone_of(ZONE, "UTC")
    for sent in shop.sent(is_promotional=True):
        hours = shop.flows[sent.flow_id].quiet_hours
        if hours is not None:
            assert quiet_until_ms(hours, goes_ms(sent), zone) is None
            assert goes_ms(sent) <= sent.expires_ms <= next_quiet_ms(hours, goes_ms(sent), zone)


@law
@given(flow_sets(), histories)
def test_nothing_goes_out_by_a_channel_that_was_withdrawn(documents: Documents, history: list[Thing]) -> None:
    shop = Shop(documents).live(history)
    for sent in shop.sent():
        is_allowed = []
        for until_ms in (goes_ms(sent) - 1, goes_ms(sent)):  # what is said in that very millisecond may come after
            now_ms = START_MS
            consents: tuple[ConsentState, ...] = ()
            for thing in history:
                now_ms += thing.later_ms
                if f"u:{thing.user}" == sent.customer and thing.kind in {"denied", "granted"} and now_ms <= until_ms:
                    is_granted = thing.kind == "granted"
                    consents = with_consent(consents, thing.channel, granted=is_granted, time_ms=now_ms)
            is_allowed.append(allowed(consents, sent.channel, "granted")[0])
        assert any(is_allowed)


@law
@given(flow_sets(), histories)
def test_every_candidate_is_final_once_or_open(documents: Documents, history: list[Thing]) -> None:
    shop = Shop(documents).live(history)
    world, decisions = shop.world, shop.world.emitted(Decision)
    entered = Counter(item.candidate_id for item in decisions if item.outcome in {"entered", "too_old"})
    final = Counter(item.candidate_id for item in decisions if item.final)
    runs = [run for customer in shop.customers for run in world.profile(customer).runs]  # type: ignore[union-attr]
    assert set(entered.values()) <= {1}
    assert entered == final + Counter(run.candidate_id for run in runs)
    assert world.total("decisions_open") == len(runs) == len({(run.flow_id, run.cause) for run in runs})
    assert world.total("candidates_unaccounted") == 0
    assert {item.candidate_id for item in decisions} == set(entered)


@law
@given(flow_sets(), histories)
def test_nobody_stays_in_a_flow_after_an_event_that_ends_it(documents: Documents, history: list[Thing]) -> None:
    Shop(documents).live(history)  # which asserts it behind each event, here as in every law


@law
@given(flow_sets(), histories)
def test_a_message_that_is_due_later_is_taken_back_by_what_ends_its_flow(
    documents: Documents, history: list[Thing]
) -> None:
    shop, now_ms = Shop(documents).live(history), START_MS
    for thing in history:
        now_ms += thing.later_ms
        for sent in shop.sent(f"u:{thing.user}"):
            if thing.kind in shop.flows[sent.flow_id].exit_events and now_ms - thing.late_ms > sent.decided_ms:
                assert not sent.decided_ms <= now_ms < goes_ms(sent)


@law
@given(flow_sets(), histories)
def test_a_customer_is_in_one_arm_of_a_flow_and_who_is_held_out_gets_nothing(
    documents: Documents, history: list[Thing]
) -> None:
    shop = Shop(documents).live(history)
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in shop.world.emitted(Decision):
        arms[item.customer, item.flow_id].add(item.arm)
    assert all(len(each) == 1 for each in arms.values())
    for sent in shop.sent():
        assert arms[sent.customer, sent.flow_id] == {sent.arm}
        assert sent.arm != "holdout"


@law
@given(flow_sets(), histories)
def test_promotional_flows_neither_delay_nor_change_a_transactional_message(
    documents: Documents, history: list[Thing]
) -> None:
    together = Shop(documents).live(history)
    own = [document for document in documents if document["class"] == "transactional"]
    alone, names = Shop(own).live(history), {document["id"] for document in own}
    for customer in together.customers:
        assert together.told(customer, names) == alone.told(customer, names)
    assert all(one.decided_ms == one.due_ms for one in together.sent(is_promotional=False))


@law
@given(flow_sets(), histories)
def test_what_a_customer_gets_hangs_neither_on_others_nor_on_the_order_of_arrival_across_them(
    documents: Documents, history: list[Thing]
) -> None:
    together, apart = Shop(documents).live(history), Shop(documents).live(history, is_apart=True)
    for user in USERS:
        alone = Shop(documents).live(history, (user,))
        assert together.told(f"u:{user}") == alone.told(f"u:{user}") == apart.told(f"u:{user}")
