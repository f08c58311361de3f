"""Laws of all flows of the product at once, over random histories in the fold."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise, permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.journal import AddressConsent
from schemas.outputs import Decision, Revocation, Trigger
from streams.flows.language.flow_set import compile_flows
from tests.support import laws
from tests.support.flow_sets import goes_ms
from tests.support.flows import TEN, a_bare_flow
from tests.support.histories import Shop, Thing, a_touch
from tests.support.laws import law
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS

THANKS = a_bare_flow(
    "thanks",
    "order_completed",
    goal={"event": "product_viewed", "window": "1d"},
    priority=0,
    expires_after="1h",
    **{"class": "transactional"},
)
OFFER = a_bare_flow(
    "offer",
    "product_added",
    priority=45,
    wait={"for": "6h"},
    expires_after="30h",
    send_time="best",
    quiet_hours={"from": "21:00", "to": "08:00"},
)
DOCUMENTS: list[dict[str, Any]] = [*TEN, THANKS, OFFER]
KINDS = ["product_viewed", "product_added", "order_completed", "signed_up", "ticket_opened", "denied", "granted"]

histories = st.lists(
    st.builds(
        Thing,
        st.sampled_from(["1", "2"]),
        st.sampled_from(KINDS),
        st.one_of(st.integers(0, 3 * HOUR_MS), st.integers(0, 40 * DAY_MS)),
        st.sampled_from([0, 0, 0, HOUR_MS, 25 * HOUR_MS]),
        st.just("email"),
    ),
    max_size=30,
)
History = list[Thing]


def lived(history: History, users: tuple[str, ...] = ("1", "2")) -> Shop:
    """What the users do; of the others nothing, though the time is theirs."""
    shop, now_ms = Shop(DOCUMENTS), START_MS
    for number, thing in enumerate(history):
        now_ms += thing.later_ms
        if number % 3:
            shop.world.pass_time(now_ms - 1)
        if thing.user in users:
            shop.world.send(a_touch(number, thing, now_ms - thing.late_ms), received_ms=now_ms)
    shop.world.pass_time(now_ms + 30 * DAY_MS)
    return shop


@law
@given(histories)
def test_no_cap_is_exceeded_in_any_rolling_window(history: History) -> None:
    shop = lived(history)
    assert {(flow.caps.per_week, flow.caps.per_channel_hours) for flow in shop.flows.values()} == {(3, 20)}
    laws.no_window_holds_more_than_the_widest_caps_allow(shop)


@law
@given(histories)
def test_no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(history: History) -> None:
    laws.no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(lived(history))


@law
@given(histories)
def test_every_candidate_is_final_once_or_open(history: History) -> None:
    laws.every_candidate_of_a_shop_is_final_once_or_open(lived(history))


@law
@given(histories)
def test_a_customer_is_in_one_arm_of_a_flow_and_gets_nothing_if_held_out(history: History) -> None:
    laws.a_customer_is_in_one_arm_of_a_flow_and_gets_nothing_if_held_out(lived(history))


@law
@given(histories)
def test_a_win_back_silences_the_others_and_nothing_delays_a_transactional_message(history: History) -> None:
    shop = lived(history)
    for customer in shop.customers:
        sent = shop.world.emitted(Trigger, customer)
        for loud in (one for one in sent if one.flow_id == "win_back"):
            for other in shop.sent(customer, is_promotional=True):
                is_silenced = 0 < other.decided_ms - loud.decided_ms < 7 * DAY_MS
                assert other.flow_id == "win_back" or not is_silenced
        for item in shop.world.emitted(Decision, customer):
            if item.flow_id == "thanks":
                assert item.outcome in {"entered", "sent", "no_consent", "too_old"}
        assert all(one.decided_ms == one.due_ms for one in sent if one.flow_id == "thanks")


@law
@given(histories)
def test_of_two_messages_that_meet_the_one_that_comes_first_goes_out_first(history: History) -> None:
    shop = lived(history)
    rank = compile_flows(DOCUMENTS).order
    for customer in shop.customers:
        decisions = shop.world.emitted(Decision, customer)
        entered = {item.candidate_id: item.time_ms for item in decisions if item.outcome == "entered"}
        sent = [item for item in decisions if item.outcome == "sent"]
        for one, other in permutations(sent, 2):
            if rank[f"flow:{one.flow_id}"] < rank[f"flow:{other.flow_id}"] and shop.flows[other.flow_id].is_promotional:
                # nobody can foresee a flow that is entered later
                is_foreseen = entered[one.candidate_id] <= other.time_ms
                assert not (is_foreseen and 0 < one.time_ms - other.time_ms <= 5 * MINUTE_MS)


@law
@given(histories, st.lists(st.tuples(st.integers(0, 29), st.integers(0, 3 * DAY_MS)), max_size=5))
def test_nobody_gets_a_message_after_a_withdrawal_though_it_is_learnt_late(
    history: History, withdrawals: list[tuple[int, int]]
) -> None:
    """Statements by address reach a customer this much later than their own records; time comes after them."""
    shop, now_ms, said = Shop(DOCUMENTS), START_MS, []
    for number, thing in enumerate(history):
        now_ms += thing.later_ms
        if thing.kind != "granted":
            shop.world.send(a_touch(number, thing._replace(user="1"), now_ms), received_ms=now_ms)
        said += [now_ms] * (thing.kind == "denied")
        for after, late_ms in withdrawals:
            if after == number:
                said.append(max(now_ms - late_ms, START_MS))
                statement = AddressConsent("email", granted=False, time_ms=said[-1], cause=f"by-{after}")
                shop.world.append("u:1", statement)
    shop.world.pass_time(now_ms + 30 * DAY_MS)
    mailed = [sent for sent in shop.sent("u:1", is_promotional=True) if sent.channel == "email"]
    assert not [sent for sent in mailed if min(said, default=1 << 62) < goes_ms(sent)]


@law
@given(histories)
def test_what_was_decided_and_is_due_later_is_taken_back_by_what_ends_the_flow(history: History) -> None:
    shop = lived(history)
    laws.what_is_due_later_is_taken_back_by_what_ends_its_flow(shop, history)
    outcomes = Counter(item.outcome for item in shop.world.emitted(Decision))
    in_force = len(shop.world.emitted(Trigger)) - len(shop.world.emitted(Revocation))
    assert outcomes["sent"] - outcomes["revoked"] == in_force


@law
@given(histories)
def test_a_customer_who_has_to_wait_for_a_re_entry_waits(history: History) -> None:
    shop = lived(history)
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in shop.world.emitted(Decision):
        if item.outcome == "entered" and "event_time_ms" in item.evidence:
            times[item.customer, item.flow_id].append(int(item.evidence["event_time_ms"]))
    for (_, flow_id), entered in times.items():
        reentry_ms = shop.flows[flow_id].reentry_ms
        assert not reentry_ms or all(later - first >= reentry_ms for first, later in pairwise(entered))


@law
@given(histories)
def test_what_one_customer_gets_does_not_hang_on_another(history: History) -> None:
    together = lived(history)
    for user in ("1", "2"):
        assert lived(history, (user,)).records(f"u:{user}") == together.records(f"u:{user}")
