"""What holds of any flows that anyone might publish, over random histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.flows.runtime.consent import allowed, with_consent
from tests.support import laws
from tests.support.flow_sets import ZONE, flow_sets, goes_ms
from tests.support.histories import Shop, Thing, a_touch
from tests.support.laws import law
from tests.support.world import DAY_MS, HOUR_MS, START_MS

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.statement import ConsentState

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


things = st.builds(
    Thing,
    st.sampled_from(USERS),
    st.sampled_from(KINDS),
    st.one_of(st.integers(0, 3 * HOUR_MS), st.integers(0, 12 * HOUR_MS), st.integers(0, 12 * DAY_MS)),
    st.sampled_from([0, 0, 0, 0, HOUR_MS, 25 * HOUR_MS]),
    st.sampled_from(["email", "sms", "push", "all"]),
)
histories = st.lists(things, min_size=12, max_size=40)


class RandomShop(Shop):
    """A shop whose users live through a history."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents, reporting_time_zone=ZONE)

    def live(self, history: list[Thing], users: tuple[str, ...] = USERS, *, is_apart: bool = False) -> RandomShop:
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
                is_newer = run.last_entry_ms > event.time_ms
                assert not is_exit or is_newer or run.cause == event.event_id, (
                    "out means out, but a later entry stays, and a segment may let a customer in again"
                )


@law
@given(flow_sets(), histories)
def test_no_message_exceeds_a_cap_of_its_flow(documents: Documents, history: list[Thing]) -> None:
    shop = RandomShop(documents).live(history)
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
    laws.no_window_holds_more_than_the_widest_caps_allow(RandomShop(documents).live(history))


@law
@given(flow_sets(), histories)
def test_no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(documents: Documents, history: list[Thing]) -> None:
    laws.no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(RandomShop(documents).live(history))


@law
@given(flow_sets(), histories)
def test_no_promotion_goes_out_by_a_channel_that_was_withdrawn(documents: Documents, history: list[Thing]) -> None:
    """Statements without a purpose are about promotions, so they say nothing of what was bought."""
    shop = RandomShop(documents).live(history)
    for sent in shop.sent(is_promotional=True):
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
    laws.every_candidate_of_a_shop_is_final_once_or_open(RandomShop(documents).live(history))


@law
@given(flow_sets(), histories)
def test_nobody_stays_in_a_flow_after_an_event_that_ends_it(documents: Documents, history: list[Thing]) -> None:
    RandomShop(documents).live(history)  # which asserts it behind each event, here as in every law


@law
@given(flow_sets(), histories)
def test_a_message_that_is_due_later_is_taken_back_by_what_ends_its_flow(
    documents: Documents, history: list[Thing]
) -> None:
    laws.what_is_due_later_is_taken_back_by_what_ends_its_flow(RandomShop(documents).live(history), history)


@law
@given(flow_sets(), histories)
def test_a_customer_is_in_one_arm_of_a_flow_and_gets_nothing_if_held_out(
    documents: Documents, history: list[Thing]
) -> None:
    laws.a_customer_is_in_one_arm_of_a_flow_and_gets_nothing_if_held_out(RandomShop(documents).live(history))


@law
@given(flow_sets(), histories)
def test_promotional_flows_neither_delay_nor_change_a_transactional_message(
    documents: Documents, history: list[Thing]
) -> None:
    together = RandomShop(documents).live(history)
    own = [document for document in documents if document["class"] == "transactional"]
    alone, names = RandomShop(own).live(history), {document["id"] for document in own}
    for customer in together.customers:
        assert together.records(customer, names) == alone.records(customer, names)
    assert all(one.decided_ms == one.due_ms for one in together.sent(is_promotional=False))


@law
@given(flow_sets(), histories)
def test_what_a_customer_gets_hangs_neither_on_others_nor_on_the_order_of_arrival_across_them(
    documents: Documents, history: list[Thing]
) -> None:
    together, apart = RandomShop(documents).live(history), RandomShop(documents).live(history, is_apart=True)
    for user in USERS:
        alone = RandomShop(documents).live(history, (user,))
        assert together.records(f"u:{user}") == alone.records(f"u:{user}") == apart.records(f"u:{user}")
