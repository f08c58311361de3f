"""Laws of all flows of the product at once, over random histories in the fold."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.journal import AddressConsent
from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent, Product
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.hours import next_quiet_ms, quiet_until_ms, zone_of
from tests.support.flow_sets import CUTS, ZONE, goes_ms
from tests.support.flows import TEN
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

THANKS = {
    "id": "thanks",
    "version": 1,
    "owner": "us",
    "goal": {"event": "product_viewed", "window": "1d"},
    "stage": "any",
    "priority": 0,
    "class": "transactional",
    "entry": {"event": "order_completed"},
    "channel": "email",
    "expires_after": "1h",
    "steps": [{"name": "now", "do": "trigger"}],
}
OFFER = {
    "id": "offer",
    "version": 1,
    "owner": "us",
    "goal": {"event": "order_completed", "window": "1d"},
    "stage": "any",
    "priority": 45,
    "class": "promotional",
    "entry": {"event": "product_added"},
    "wait": {"for": "6h"},
    "channel": "email",
    "expires_after": "30h",
    "send_time": "best",
    "quiet_hours": {"from": "21:00", "to": "08:00"},
    "steps": [{"name": "offer", "do": "trigger"}],
}
DOCUMENTS: list[dict[str, Any]] = [*TEN, THANKS, OFFER]
FLOWS = compile_flows(DOCUMENTS).flows
KINDS = ["product_viewed", "product_added", "order_completed", "signed_up", "ticket_opened", "denied", "granted"]

histories = st.lists(
    st.tuples(
        st.sampled_from(["1", "2"]),
        st.sampled_from(KINDS),
        st.one_of(st.integers(0, 3 * HOUR_MS), st.integers(0, 40 * DAY_MS)),
        st.sampled_from([0, 0, 0, HOUR_MS, 25 * HOUR_MS]),
    ),
    max_size=30,
)
History = list[tuple[str, str, int, int]]


def a_thing(number: int, user: str, kind: str, at_ms: int) -> Touchpoint:
    fields: dict[str, Any] = {"event_id": f"e{number}", "time_zone": ZONE}
    if kind == "order_completed":
        return an_order(at_ms, 1_000 * (number % 20 + 1), user, order_id=f"o{number}", **fields)
    if kind == "product_added":
        return an_add(at_ms, user=user, **fields)
    if kind in {"denied", "granted"}:
        consent = Consent("email", granted=kind == "granted")
        return a_touchpoint("consent_changed", at_ms, user, consent=consent, **fields)
    return a_touchpoint(kind, at_ms, user, products=(Product("mug", 900, 1),), **fields)


def lived(history: History, users: tuple[str, ...] = ("1", "2")) -> World:
    """What the users do; of the others nothing, though the time is theirs."""
    world = World(flows=DOCUMENTS, cuts_fixed=CUTS)
    now_ms = START_MS
    for number, (user, kind, later_ms, late_ms) in enumerate(history):
        now_ms += later_ms
        if number % 3:
            world.pass_time(now_ms - 1)
        if user in users:
            world.send(a_thing(number, user, kind, now_ms - late_ms), received_ms=now_ms)
    world.pass_time(now_ms + 30 * DAY_MS)
    return world


def promoted(world: World, customer: str) -> list[Trigger]:
    """Promotional messages that nothing has taken back."""
    taken_back = {revocation.trigger_id for revocation in world.emitted(Revocation, customer)}
    sent = [sent for sent in world.emitted(Trigger, customer) if sent.trigger_id not in taken_back]
    return [one for one in sent if FLOWS[one.flow_id].is_promotional]


def customers(world: World) -> list[str]:
    return [customer for customer in ("u:1", "u:2") if world.profile(customer) is not None]


law = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@law
@given(histories)
def test_no_cap_is_exceeded_in_any_rolling_window(history: History) -> None:
    world = lived(history)
    for customer in customers(world):
        sent = promoted(world, customer)
        for first in sent:
            after = [other for other in sent if goes_ms(other) >= goes_ms(first)]
            assert sum(goes_ms(other) - goes_ms(first) < 7 * DAY_MS for other in after) <= 3
            near = Counter(other.channel for other in after if goes_ms(other) - goes_ms(first) < 20 * HOUR_MS)
            assert max(near.values()) == 1


@law
@given(histories)
def test_no_promotion_goes_out_in_quiet_hours_or_may_wait_into_them(history: History) -> None:
    world = lived(history)
    zone = zone_of(ZONE, "UTC")
    for customer in customers(world):
        for sent in promoted(world, customer):
            hours = FLOWS[sent.flow_id].quiet_hours
            if hours is not None:
                assert quiet_until_ms(hours, goes_ms(sent), zone) is None
                assert goes_ms(sent) <= sent.expires_ms <= next_quiet_ms(hours, goes_ms(sent), zone)


@law
@given(histories)
def test_every_candidate_is_final_once_or_open(history: History) -> None:
    world = lived(history)
    decisions = world.emitted(Decision)
    entered = Counter(item.candidate_id for item in decisions if item.outcome in {"entered", "too_old"})
    final = Counter(item.candidate_id for item in decisions if item.final)
    runs = [run for customer in customers(world) for run in world.profile(customer).runs]  # type: ignore[union-attr]
    still_open = Counter(run.candidate_id for run in runs)
    assert set(entered.values()) <= {1}
    assert entered == final + still_open
    assert world.total("decisions_open") == len(runs)
    assert world.total("candidates_unaccounted") == 0
    assert {run.step for run in runs} <= {step.name for flow in FLOWS.values() for step in flow.steps}
    assert {item.candidate_id for item in decisions} == set(entered)


@law
@given(histories)
def test_a_customer_is_in_one_arm_of_a_flow_and_who_is_held_out_gets_nothing(history: History) -> None:
    world = lived(history)
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in world.emitted(Decision):
        arms[item.customer, item.flow_id].add(item.arm)
    for sent in world.emitted(Trigger):
        assert arms[sent.customer, sent.flow_id] == {sent.arm}
        assert sent.arm != "holdout"
    assert all(len(each) == 1 for each in arms.values())


@law
@given(histories)
def test_a_win_back_silences_the_others_and_nothing_delays_a_transactional_message(history: History) -> None:
    world = lived(history)
    for customer in customers(world):
        sent = world.emitted(Trigger, customer)
        for loud in (one for one in sent if one.flow_id == "win_back"):
            for other in promoted(world, customer):
                is_silenced = 0 < other.decided_ms - loud.decided_ms < 7 * DAY_MS
                assert other.flow_id == "win_back" or not is_silenced
        for item in world.emitted(Decision, customer):
            if item.flow_id == "thanks":
                assert item.outcome in {"entered", "sent", "no_consent", "too_old"}
        assert all(one.decided_ms == one.due_ms for one in sent if one.flow_id == "thanks")


@law
@given(histories)
def test_of_two_messages_that_meet_the_one_that_comes_first_goes_out_first(history: History) -> None:
    world = lived(history)
    rank = compile_flows(DOCUMENTS).order
    for customer in customers(world):
        decisions = world.emitted(Decision, customer)
        entered = {item.candidate_id: item.time_ms for item in decisions if item.outcome == "entered"}
        sent = [item for item in decisions if item.outcome == "sent"]
        for one, other in permutations(sent, 2):
            if rank[f"flow:{one.flow_id}"] < rank[f"flow:{other.flow_id}"] and FLOWS[other.flow_id].is_promotional:
                # nobody can foresee a flow that is entered later
                is_foreseen = entered[one.candidate_id] <= other.time_ms
                assert not (is_foreseen and 0 < one.time_ms - other.time_ms <= 5 * MINUTE_MS)


@law
@given(histories, st.lists(st.tuples(st.integers(0, 29), st.integers(0, 3 * DAY_MS)), max_size=5))
def test_nobody_is_written_to_after_he_withdrew_though_it_is_learnt_late(
    history: History, withdrawals: list[tuple[int, int]]
) -> None:
    """Statements by his address reach him after his own records of so long; time comes after them."""
    world = World(flows=DOCUMENTS, cuts_fixed=CUTS)
    now_ms, said = START_MS, []
    for number, (_, kind, later_ms, _) in enumerate(history):
        now_ms += later_ms
        if kind != "granted":
            world.send(a_thing(number, "1", kind, now_ms), received_ms=now_ms)
        said += [now_ms] * (kind == "denied")
        for after, late_ms in withdrawals:
            if after == number:
                said.append(max(now_ms - late_ms, START_MS))
                world.append("u:1", AddressConsent("email", granted=False, time_ms=said[-1], cause=f"by-{after}"))
    world.pass_time(now_ms + 30 * DAY_MS)
    mailed = [sent for sent in promoted(world, "u:1") if sent.channel == "email"]
    assert not [sent for sent in mailed if min(said, default=1 << 62) < goes_ms(sent)]


@law
@given(histories)
def test_what_was_decided_and_is_due_later_is_taken_back_by_what_ends_the_flow(history: History) -> None:
    world = lived(history)
    now_ms = START_MS
    for user, kind, later_ms, late_ms in history:
        now_ms += later_ms
        for sent in promoted(world, f"u:{user}"):
            if kind in FLOWS[sent.flow_id].exit_events and now_ms - late_ms > sent.decided_ms:
                assert not sent.decided_ms <= now_ms < goes_ms(sent)
    outcomes = Counter(item.outcome for item in world.emitted(Decision))
    standing = len(world.emitted(Trigger)) - len(world.emitted(Revocation))
    assert outcomes["sent"] - outcomes["revoked"] == standing


@law
@given(histories)
def test_who_has_to_wait_for_a_re_entry_waits(history: History) -> None:
    world = lived(history)
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in world.emitted(Decision):
        if item.outcome == "entered" and "event_time_ms" in item.evidence:
            times[item.customer, item.flow_id].append(int(item.evidence["event_time_ms"]))
    for (_, flow_id), entered in times.items():
        reentry_ms = FLOWS[flow_id].reentry_ms
        assert not reentry_ms or all(later - first >= reentry_ms for first, later in pairwise(entered))


@law
@given(histories)
def test_what_one_customer_gets_does_not_hang_on_another(history: History) -> None:
    together = lived(history)
    for user in ("1", "2"):
        alone = lived(history, (user,))
        assert alone.emitted(Trigger, f"u:{user}") == together.emitted(Trigger, f"u:{user}")
        assert alone.emitted(Decision, f"u:{user}") == together.emitted(Decision, f"u:{user}")
