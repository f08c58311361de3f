"""A customer is in a bounded number of flows, and what they may still take back has a bounded size."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.limits import PENDING_BYTES_MAX, RUN_PRODUCTS_BYTES_MAX, RUNS_MAX
from schemas.outputs import Decision, Trigger, TriggerProduct
from streams.flows.runtime.pending import bounded
from streams.flows.runtime.rooms import message_bytes, with_runs_that_fit
from streams.profiles.codec import encode_profile
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import CartItem, PendingMessage, Profile, Run
from tests.support.flows import a_flow
from tests.support.journeys import GRANTED, START_MS
from tests.support.world import World, an_add

WIDE = "\N{DRAGON}" * 128


def at(rules: int = 2) -> Moment:
    moment = Moment("u:1", START_MS, "cause", GRANTED, Effects())
    moment.rules = rules
    return moment


def a_run(number: int, **fields: Any) -> Run:
    return Run(f"flow_{number}", 1, f"candidate-{number:03}", "event", START_MS + number, START_MS, "hello", **fields)


def a_message(number: int, articles: int) -> PendingMessage:
    products = tuple(TriggerProduct(WIDE, 10**14, 10**7) for _ in range(articles))
    trigger = Trigger(
        f"{number:032}", "u:" + WIDE, "email", "f" * 60, 1, "a" * 60, "s" * 60, START_MS, START_MS, START_MS, "Hello."
    )
    run = Run("f" * 60, 1, "c" * 32, WIDE, START_MS, START_MS, "s" * 60)
    facts = {
        **dict.fromkeys(("class", "currency", "offer"), "f" * 60),
        "time_zone": "America/Argentina/ComodRivadavia",
        "segment": "Potential Loyalist",
        "order_id": WIDE,
        **dict.fromkeys(("order_total_minor", "order_time_ms", "cart_total_minor", "cart_added_ms"), "1" * 18),
        "cart_items": "50",
    }
    trigger = msgspec.structs.replace(trigger, user_id=WIDE, products=products, facts=facts)
    return PendingMessage(trigger, run, is_held=True)


def test_one_flow_too_many_is_entered_and_left_at_once_with_a_receipt_of_each() -> None:
    flows = [a_flow(id=f"flow_{number:02}", exits=[]) for number in range(RUNS_MAX + 2)]
    world = World(flows=flows)
    world.send(an_add(START_MS))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.runs) == RUNS_MAX
    ended = [each for each in world.emitted(Decision) if each.outcome == "exited"]
    assert [each.flow_id for each in ended] == ["flow_32", "flow_33"]
    assert world.total("decisions_open") == RUNS_MAX
    assert world.total("candidates_unaccounted") == 0


def test_of_more_candidates_those_that_entered_first_go_on() -> None:
    runs = tuple(a_run(number) for number in reversed(range(RUNS_MAX + 3)))
    moment = at()
    kept = with_runs_that_fit(Profile(runs=runs), moment).runs
    assert {run.flow_id for run in kept} == {f"flow_{number}" for number in range(RUNS_MAX)}
    assert [each.flow_id for _, each in moment.effects.outputs if isinstance(each, Decision)] == [
        f"flow_{number}" for number in range(RUNS_MAX, RUNS_MAX + 3)
    ]


def test_a_run_keeps_the_first_articles_that_fit() -> None:
    run = a_run(1, products=tuple(CartItem(f"{number:0100}", 1, 1) for number in range(10)))
    (kept,) = with_runs_that_fit(Profile(runs=(run,)), at()).runs
    assert kept.products == run.products[: RUN_PRODUCTS_BYTES_MAX // 124]


def test_a_message_is_never_larger_than_it_is_taken_for() -> None:
    for articles in (0, 1, 30):
        message = a_message(1, articles)
        stored = len(encode_profile(Profile(pending=(message,)))) - len(encode_profile(Profile()))
        assert stored <= message_bytes(message)


def test_messages_that_do_not_fit_go_out_first_come_first() -> None:
    pending = tuple(a_message(number, 10) for number in range(15))
    profile, moment = Profile(pending=pending), at()
    kept = bounded(profile, moment).pending
    assert sum(map(message_bytes, kept)) <= PENDING_BYTES_MAX
    assert kept == pending[-len(kept) :]
    sent = [each.trigger_id for _, each in moment.effects.outputs if isinstance(each, Trigger)]
    assert sent == [message.trigger.trigger_id for message in pending[: -len(kept)]]
    assert bounded(profile, at(rules=1)) is profile
