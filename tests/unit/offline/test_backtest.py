"""A journal's past under other flows is what would have happened had they been published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.flows.language.flow_set import ALL_FLOWS
from streams.fold.fold import Fold
from streams.fold.partition_state import JournalCodec
from streams.fold.record import AGAIN
from streams.kafka.journal import read_record
from streams.offline.backtest import backtest
from streams.offline.trial import Past, Trial
from streams.profiles.effects import Effects, FlowEffects
from tests.support.flows import TEN, a_flow
from tests.support.kept import Kept, KeptJournal, KeptWorld
from tests.support.months import BROWSE, CART, FOR_EVER_MS, Heard, by_customer, happen, lived
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint, a_view, an_add, an_order

if TYPE_CHECKING:
    import msgspec
    from confluent_kafka import Message


def said_in(world: KeptWorld) -> dict[str, list[msgspec.Struct]]:
    return by_customer([each for _, each in world.outputs if isinstance(each, Trigger | Decision)])


def tried(world: KeptWorld, trial: Trial) -> Heard:
    heard = Heard(trial.from_ms, trial.to_ms)
    backtest(Past(KeptJournal(world.journal), SINGLE_OBJECT), trial, heard)
    return heard


def always(flows: Any, *, is_alone: bool = True) -> Trial:
    return Trial(tuple(flows), 0, FOR_EVER_MS, is_alone)


def test_what_was_published_says_again_what_it_said(seed: int) -> None:
    world = lived(seed, TEN)
    assert tried(world, always(TEN)).by_customer == said_in(world)
    assert len(world.emitted(Trigger)) > 5


def test_a_fold_that_is_asked_for_flows_only_says_the_same_of_them_and_keeps_the_same_state(seed: int) -> None:
    journal = lived(seed, TEN).journal
    (said, state), (said_of_flows, same_state) = (folded(journal, kind) for kind in (Effects, FlowEffects))
    of_flows = {Trigger, Revocation, Decision}
    assert said_of_flows == [each for each in said if type(each[1]) in of_flows]
    assert len(said) > len(said_of_flows) > 5
    assert same_state == state


def folded(journal: list[Kept], kind: type[Effects]) -> tuple[list[tuple[str, Any]], dict[bytes, bytes]]:
    store, said = MemoryStore(), list[tuple[str, Any]]()
    overlay: Overlay[Any] = Overlay(store, JournalCodec())
    fold = Fold(overlay, kind)
    for record in journal:
        said += fold(read_record(cast("Message", record), SINGLE_OBJECT)).outputs
    overlay.freeze()
    overlay.committed(0)
    return said, dict(store.items())


@pytest.mark.parametrize("run", range(5))
def test_the_journal_of_other_flows_tells_what_these_would_have_said(seed: int, run: int) -> None:
    seed += run
    lived_with_cart, lived_with_all = lived(seed, CART), lived(seed, TEN)
    assert tried(lived_with_cart, always(TEN)).by_customer == said_in(lived_with_all)
    assert tried(lived_with_all, always(CART)).by_customer == said_in(lived_with_cart)


def test_a_device_that_turns_out_to_be_a_users_brings_them_what_these_flows_did_to_it() -> None:
    def told(flows: Any) -> KeptWorld:
        world = KeptWorld(flows=flows)
        world.send(a_view(START_MS, None, anonymous_id="phone", event_id="look"))
        world.pass_time(START_MS + HOUR_MS)
        world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, "1", anonymous_id="phone", event_id="login"))
        world.pass_time(START_MS + DAY_MS)
        return world

    with_browse = told([{**BROWSE[0], "quiet_hours": None, "holdout_percent": 0}])
    without = told(CART)
    assert [sent.customer for sent in with_browse.emitted(Trigger)] == ["u:1"]
    flows = with_browse.settings.flows
    assert tried(without, always(flows)).by_customer == said_in(with_browse)


@pytest.mark.parametrize("days", [3, 11, 20])
def test_flows_tried_from_a_time_on_are_as_if_published_then(seed: int, days: int) -> None:
    from_ms = START_MS + days * DAY_MS
    changed = lived(seed, CART, change=(from_ms, TEN))
    expected = {
        customer: own
        for customer, said in said_in(changed).items()
        if (own := [each for each in said if time_of(each) >= from_ms])
    }
    found = tried(lived(seed, CART), Trial(TEN, from_ms, FOR_EVER_MS, is_alone=True))
    said = {customer: [each for each in own if time_of(each) >= from_ms] for customer, own in found.by_customer.items()}
    assert {customer: own for customer, own in said.items() if own} == expected


def time_of(said: Any) -> int:
    time_ms: int = said.decided_ms if isinstance(said, Trigger) else said.time_ms
    return time_ms


def test_published_flows_of_other_ids_go_on_beside_those_tried_unless_they_are_alone(seed: int) -> None:
    world = lived(seed, CART)
    beside, alone = (tried(world, always(BROWSE, is_alone=is_alone)) for is_alone in (False, True))
    assert beside.by_customer == said_in(lived(seed, CART + BROWSE))
    assert alone.by_customer == said_in(lived(seed, BROWSE))
    assert set(beside.flows) == {"abandoned_cart", "abandoned_browse"}
    assert set(alone.flows) == {"abandoned_browse"}


@pytest.mark.parametrize("names", [[flow["id"] for flow in CART], [ALL_FLOWS]])
def test_a_flow_that_is_paused_is_tried_as_if_it_were_not(seed: int, names: list[str]) -> None:
    paused = {name: {"paused_ms": 1} for name in names}
    world = KeptWorld(flows=CART, flow_states=paused)
    happen(world, seed)
    assert not world.emitted(Trigger)
    assert tried(world, always(CART, is_alone=False)).of_customers


def test_what_the_published_flows_did_is_told_beside_it(seed: int) -> None:
    world = lived(seed, CART)
    other, published = Heard(), Heard()
    backtest(Past(KeptJournal(world.journal), SINGLE_OBJECT), always(TEN), other, published)
    assert published.by_customer == said_in(world)
    assert other.by_customer == said_in(lived(seed, TEN))


def test_nothing_before_the_period_counts_and_nothing_from_its_end_on(seed: int) -> None:
    world = lived(seed, TEN)
    from_ms, to_ms = START_MS + 5 * DAY_MS, START_MS + 15 * DAY_MS
    found = tried(world, Trial(TEN, from_ms, to_ms, is_alone=True))
    expected = sorted(sent.decided_ms for sent in world.emitted(Trigger) if from_ms <= sent.decided_ms < to_ms)
    assert sorted(sending.time_ms for own in found.of_customers.values() for sending in own) == expected
    decided = [each for each in world.emitted(Decision) if from_ms <= each.time_ms < to_ms]
    assert found.outcomes.total() == len(decided) > 0


def test_more_carts_than_one_record_wakes_are_reminded_though_the_journal_has_no_wake_for_them() -> None:
    world = KeptWorld(flows=())
    world.send(*(an_add(START_MS, user=str(user)) for user in range(2_500)))
    world.pass_time(START_MS + DAY_MS)
    found = tried(world, always([{**CART[0], "holdout_percent": 0, "quiet_hours": None}]))
    assert sum(map(len, found.of_customers.values())) >= 2_500


def test_a_record_that_waited_in_the_journal_counts_once_and_one_that_did_not_may_wait_now() -> None:
    """It is decades ahead of its customer's weekly timers, whose number the flows change."""
    world = KeptWorld(clock="marks", flows=())
    world.send(an_order(START_MS), an_add(START_MS + 20_000 * DAY_MS))
    assert [AGAIN in dict(each.headers() or ()) for each in world.journal].count(True) > 10
    found = tried(world, always([a_flow(wait={}, quiet_hours=None, expires_after="1d")]))
    assert found.outcomes["abandoned_cart", "sent"] == 1
    assert found.outcomes["abandoned_cart", "entered"] == 1


def test_a_message_that_is_taken_back_while_it_waits_was_not_sent() -> None:
    world = KeptWorld(flows=())
    world.send(an_add(START_MS), an_add(START_MS, user="2"))
    world.pass_time(START_MS + HOUR_MS)
    # the customer's own record fires the timer, while an earlier withdrawal is still under way
    for user in ("1", "2"):
        world.send(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS, user))
    withdrawn = Consent("email", granted=False)
    world.send(a_touchpoint("consent_changed", START_MS + HOUR_MS, "2", consent=withdrawn))
    world.pass_time(START_MS + DAY_MS)
    found = tried(world, always([a_flow(quiet_hours=None)]))
    assert found.outcomes["abandoned_cart", "revoked"] == 1
    assert list(found.of_customers) == ["u:1"]


def test_an_order_within_the_flows_window_after_a_message_is_its_goal() -> None:
    flow = {**CART[0], "holdout_percent": 0, "quiet_hours": None, "goal": {"event": "order_completed", "window": "1d"}}
    world = KeptWorld(flows=())
    for user in ("soon", "late", "never", "phone"):
        on_phone = user == "phone"
        who = None if on_phone else user
        address = "ab" * 32 if on_phone else None
        world.send(an_add(START_MS, user=who, anonymous_id=user if on_phone else None, email_hash=address))
    world.pass_time(START_MS + 2 * HOUR_MS)
    world.send(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS, "1", anonymous_id="phone"))
    world.send(an_order(START_MS + 4 * HOUR_MS, user="soon"), an_order(START_MS + 5 * HOUR_MS, user="1"))
    world.send(an_order(START_MS + 90 * DAY_MS, user="late"))
    found = tried(world, always([flow]))
    reached = {who: [each.goal_ms for each in own if each.goal_ms] for who, own in found.of_customers.items()}
    assert {who for who, goals in reached.items() if goals} == {"u:soon", "u:1"}
    assert set(reached) == {"u:soon", "u:late", "u:never", "u:1"}
