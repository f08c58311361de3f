"""Messages say what they are about, go to who can be reached, and stop at a pause or where nobody answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import RULES, RULES_3, Configured
from schemas.limits import WOKEN_MAX
from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Touchpoint
from streams.collect.keys import key_of
from streams.flows.language.flow_set import ALL_FLOWS
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import open_source
from streams.settings import FlowState
from streams.shop.generator import Shop, ShopParameters
from tests.support.contents import carried, is_empty
from tests.support.files import real_file
from tests.support.flows import TEN, a_bare_flow
from tests.support.out import BEST, DUE_MS, VIEWED_MS, out
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, a_view, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from schemas.touchpoint import Order

pytestmark = pytest.mark.acceptance

CUTS = {
    "recency_ms": [30 * DAY_MS, 60 * DAY_MS, 120 * DAY_MS, 200 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}
EVERYBODY = {"holdout_percent": 0}
SUBJECTS = {
    ("abandoned_browse", "reminder"): {"products"},
    ("abandoned_cart", "last_call"): {"products"},
    ("abandoned_cart", "reminder"): {"products"},
    ("abandoned_cart", "second"): {"products"},
    ("churn_risk", "offer"): {"order", "offer"},
    ("post_purchase", "review"): {"order"},
    ("price_drop", "cheaper"): {"products"},
    ("replenishment", "reminder"): {"order"},
    ("second_order", "gift"): {"order", "offer"},
    ("second_order", "idea"): {"order"},
    ("vip", "advice"): {"order"},
    ("vip", "thanks"): {"order"},
    ("welcome", "hello"): {"offer"},
    ("welcome", "help"): {"offer"},
    ("win_back", "last_call"): {"order", "offer"},
    ("win_back", "miss_you"): {"order"},
    ("win_back", "offer"): {"order", "offer"},
}
"""What each message of the product is about, at least."""
TAKES_BACK = ("order_refunded", "order_cancelled")
SAID = {"class", "currency", "time_zone", "segment"}


def ten(**settings: Any) -> World:
    """The ten flows of the product, without a control group, in a shop with a history."""
    world = World(flows=tuple({**flow, **EVERYBODY} for flow in TEN), **settings)
    world.begin(1)
    return world


def lived(world: World, touchpoints: Iterable[Touchpoint], days_after: int) -> dict[str, Touchpoint]:
    """Folds a history, in which time comes day by day; returns its orders by id."""
    orders: dict[str, Touchpoint] = {}
    now_ms = 0
    for event in touchpoints:
        if event.time_ms - now_ms >= DAY_MS:
            now_ms = event.time_ms
            world.pass_time(now_ms)
        if key_of(event) is None:
            continue
        world.send(event)
        if event.type == "order_completed" and event.order is not None:
            orders.setdefault(event.order.order_id, event)
    for day in range(1, days_after + 1):
        world.pass_time(now_ms + day * DAY_MS)
    return orders


def assert_full(
    triggers: list[Trigger], orders: dict[str, Touchpoint], taken_back: Container[str] = frozenset()
) -> None:
    """Each message carries what its flow is about, and what it says of an order is true.

    An offer goes out without an order where the one that let the customer in was taken back.
    """
    for trigger in triggers:
        names, subject = set(carried(trigger)), SUBJECTS[trigger.flow_id, trigger.step]
        if "offer" in subject and "order" not in names and has_taken_back(trigger, orders, taken_back):
            subject = subject - {"order"}
        assert names >= subject | SAID, trigger
        assert trigger.user_id is not None or trigger.email_hash is not None or trigger.channel == "push"
        if "order" in names:
            placed = orders[trigger.facts["order_id"]]
            assert placed.order is not None
            assert_is_of(trigger, placed, placed.order)


def has_taken_back(trigger: Trigger, orders: dict[str, Touchpoint], taken_back: Container[str]) -> bool:
    """Whether the customer took back one of their orders."""
    return any(number in taken_back for number, event in orders.items() if event.user_id == trigger.user_id)


def assert_is_of(trigger: Trigger, event: Touchpoint, order: Order) -> None:
    facts = trigger.facts
    assert (facts["order_total_minor"], facts["currency"]) == (str(order.total_minor), order.currency)
    assert facts["order_time_ms"] == str(event.time_ms)
    assert event.time_ms <= trigger.decided_ms
    lines = [(product.sku, product.price_minor) for product in event.products]
    assert [(product.sku, product.price_minor) for product in trigger.products] == lines[: len(trigger.products)]


def of_ten_kinds() -> Iterator[Touchpoint]:
    """Customers of whom each comes into other flows."""
    basket = (a_view(0, sku="tea").products[0], a_view(0, sku="cup").products[0])
    at_ms = START_MS + 10 * HOUR_MS
    yield a_touchpoint("signed_up", at_ms, "signs up", time_zone="Europe/Oslo")
    yield a_view(at_ms, "looks")
    yield an_add(at_ms, user="fills a cart")
    yield an_order(at_ms, 20_000, user="spends more", products=basket)
    yield an_order(at_ms, 3_000, user="spends less", products=basket)
    for day in range(4):
        yield an_order(at_ms + day * DAY_MS, 15_000, user="is the best", products=basket)
        yield an_order(at_ms + day * DAY_MS, 15_000, user="buys most", products=basket)
    yield a_view(at_ms + 4 * DAY_MS, "looks", price_minor=700)
    for number in range(3):
        yield an_order(at_ms + (5 + number * 10) * DAY_MS, user="orders regularly", products=basket)


def test_each_message_of_the_ten_flows_carries_its_subject() -> None:
    world = ten(cuts_fixed=CUTS)
    orders = lived(world, sorted(of_ten_kinds(), key=lambda event: event.time_ms), 400)
    triggers = world.emitted(Trigger)
    assert {(trigger.flow_id, trigger.step) for trigger in triggers} == SUBJECTS.keys()
    assert_full(triggers, orders)
    shown = [[item.sku for item in trigger.products] for trigger in triggers if "order" in carried(trigger)]
    assert shown == [["tea", "cup"]] * len(shown)
    (hello,) = [trigger for trigger in triggers if trigger.step == "hello"]
    assert hello.facts == {
        "class": "promotional",
        "currency": "EUR",
        "time_zone": "Europe/Oslo",
        "segment": "none",
        "offer": "first_order",
    }


def test_a_made_shop_gets_no_empty_message(seed: int) -> None:
    world = ten(cuts_fixed=CUTS)
    parameters = ShopParameters(days=4, orders_per_hour=4, customers=120, refund_share=0.2, outages=(), seed=seed)
    orders = lived(world, Shop(parameters).touchpoints(), 300)
    triggers = world.emitted(Trigger)
    assert len(triggers) > 200
    assert [trigger for trigger in triggers if is_empty(trigger)] == []
    events = Shop(parameters).touchpoints()
    taken_back = {each.order.order_id for each in events if each.type in TAKES_BACK and each.order is not None}
    assert_full(triggers, orders, taken_back)


def test_who_took_back_the_order_that_let_them_in_gets_the_gift_without_it() -> None:
    world = ten(cuts_fixed=CUTS)
    first, second = an_order(START_MS, 20_000), an_order(START_MS + DAY_MS, 20_000)
    refund = replace(first, event_id="refund", type="order_refunded", time_ms=START_MS + 2 * DAY_MS)
    world.send(first, second, refund)
    world.pass_time(START_MS + 40 * DAY_MS)
    (gift,) = [trigger for trigger in world.emitted(Trigger) if trigger.flow_id == "second_order"]
    assert gift.facts["offer"] == "gift"
    assert "order_id" not in gift.facts


def test_online_retail_gets_no_empty_message() -> None:
    source = open_source(real_file("online_retail/2010-12_2011-06.csv.gz"), load_mapping("online_retail"))
    world = ten(cuts_fixed=CUTS, reporting_currency="GBP", reporting_time_zone="Europe/London")
    touchpoints = [each.touchpoint for each in source.mapped if isinstance(each, MappedTouchpoint)]
    orders = lived(world, touchpoints, 30)
    triggers = world.emitted(Trigger)
    assert_full(triggers, orders)
    by_flow = Counter((trigger.flow_id, *carried(trigger)) for trigger in triggers)
    print(*(f"{count:>6} {' '.join(names)}" for names, count in sorted(by_flow.items())), sep="\n")  # noqa: T201
    assert [trigger for trigger in triggers if is_empty(trigger)] == []
    assert len(triggers) >= 1_500


def test_an_order_in_another_currency_is_shown_in_its_own() -> None:
    world = ten()
    order = an_order(START_MS)
    assert order.order is not None
    foreign = Touchpoint(
        **{
            **{name: getattr(order, name) for name in order.__struct_fields__},
            "order": type(order.order)("in-dollars", "USD", 12_345),
        }
    )
    world.send(foreign)
    world.pass_time(START_MS + 20 * DAY_MS)
    (review,) = [trigger for trigger in world.emitted(Trigger) if trigger.flow_id == "post_purchase"]
    facts = review.facts
    assert (facts["order_id"], facts["order_total_minor"], facts["currency"]) == ("in-dollars", "12345", "USD")


def test_where_the_last_order_was_sent_back_a_message_shows_the_one_before() -> None:
    flow = a_bare_flow("later", "signed_up", products="order", exits=[], wait={"for": "1d"})
    world = World(flows=(flow,))
    world.send(an_order(START_MS, order_id="kept", user="1"), an_order(START_MS + HOUR_MS, order_id="sent back"))
    world.send(a_touchpoint("signed_up", START_MS + 2 * HOUR_MS))
    world.send(a_touchpoint("order_cancelled", START_MS + 3 * HOUR_MS, order=an_order(0, order_id="sent back").order))
    world.pass_time(START_MS + 3 * DAY_MS)
    assert [trigger.facts["order_id"] for trigger in world.emitted(Trigger)] == ["kept"]
    world.send(a_touchpoint("order_cancelled", START_MS + 4 * DAY_MS, order=an_order(0, order_id="kept").order))
    world.send(a_touchpoint("signed_up", START_MS + 5 * DAY_MS))
    world.pass_time(START_MS + 9 * DAY_MS)
    assert len(world.emitted(Trigger)) == 1
    assert world.emitted(Decision)[-1].reason == "The message has nothing to show, so the customer left the flow."


def test_a_decision_names_the_models_that_gave_the_segment() -> None:
    world = ten(cuts_fixed=CUTS)
    lived(world, sorted(of_ten_kinds(), key=lambda event: event.time_ms), 30)
    champion = [each for each in world.emitted(Decision, "u:is the best") if each.flow_id == "vip"]
    assert [each.models for each in champion if each.outcome in {"entered", "sent"}] == [{"cuts": "cuts-fixed"}] * 2
    assert next(each.models for each in world.emitted(Decision, "u:signs up")) == {}


# ------------------------------------------------------------------------------------------------------- no address


def reached(world: World, customer: str) -> list[tuple[str, str]]:
    """Outcomes of a customer's decisions, with the channels of what was sent."""
    channels = iter([trigger.channel for trigger in world.emitted(Trigger, customer)])
    final = [each.outcome for each in world.emitted(Decision, customer) if each.final]
    return [(outcome, next(channels) if outcome == "sent" else "") for outcome in final]


ADDRESS = {"email_hash": "ab" * 32}


@pytest.mark.parametrize("message_class", ["promotional", "transactional"])
@pytest.mark.parametrize(
    ("who", "channel", "outcome"),
    [
        ({"user": "1"}, "email", "sent"),
        ({"user": "1"}, "sms", "sent"),
        ({"user": "1"}, "push", "sent"),
        ({"user": None, "anonymous_id": "phone"}, "email", "no_address"),
        ({"user": None, "anonymous_id": "phone"}, "sms", "no_address"),
        ({"user": None, "anonymous_id": "phone"}, "push", "sent"),
        ({"user": None, "anonymous_id": "phone", **ADDRESS}, "email", "sent"),
        ({"user": None, "anonymous_id": "phone", **ADDRESS}, "sms", "no_address"),
    ],
)
def test_who_cannot_be_reached_by_the_channel_gets_no_message(
    who: dict[str, Any], channel: str, outcome: str, message_class: str
) -> None:
    changes = {"class": message_class, "products": "entry", "channel": channel}
    world = World(flows=(a_bare_flow("looks", "product_viewed", **changes),))
    world.pass_time(START_MS - 1)
    world.send(a_view(START_MS, **who))
    world.pass_time(START_MS + 1)  # a promotion to a new address waits until then
    (customer,) = {each.customer for each in world.emitted(Decision)}
    assert reached(world, customer) == [(outcome, channel if outcome == "sent" else "")]
    assert world.total("decisions", f"outcome={outcome}") == 1
    assert world.total("candidates_unaccounted") == world.total("decisions_open") == 0
    if outcome == "no_address":
        assert world.emitted(Trigger) == []
        assert world.emitted(Decision)[-1].reason == (
            f"No user id, address or device of the customer is known for messages by {channel}, so none was sent."
        )


def test_a_message_goes_by_the_first_channel_with_consent_and_an_address() -> None:
    flow = a_bare_flow("looks", "product_viewed", products="entry", channels=["sms", "email", "push"])
    world = World(flows=(flow,))
    world.pass_time(START_MS - 1)
    phone, tablet = {"anonymous_id": "phone"}, {"anonymous_id": "tablet", **ADDRESS}
    world.send(a_view(START_MS), *(a_touchpoint("page_viewed", START_MS, None, **who) for who in (phone, tablet)))
    world.send(a_view(START_MS, None, anonymous_id="phone"), a_view(START_MS, None, anonymous_id="tablet"))
    world.pass_time(START_MS + 1)
    assert [reached(world, who) for who in ("u:1", "a:phone", "a:tablet")] == [
        [("sent", "sms")],
        [("sent", "push")],
        [("sent", "email")],
    ]


def test_a_flow_ends_for_who_cannot_be_reached() -> None:
    world = ten()
    world.send(an_add(START_MS, user=None, anonymous_id="phone"))
    world.pass_time(START_MS + 10 * DAY_MS)
    assert reached(world, "a:phone") == [("no_address", "")]


def test_a_device_that_turns_out_to_be_a_customers_before_the_message_is_due_gets_it() -> None:
    world = ten()
    world.send(an_add(START_MS, user=None, anonymous_id="phone"))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, "1", anonymous_id="phone"))
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger, "a:phone") == []
    assert reached(world, "u:1") == [("sent", "email"), ("sent", "email")]


def test_the_shared_device_of_six_customers_is_nobodys() -> None:
    world = ten()
    for number in range(6):
        world.send(a_touchpoint("page_viewed", START_MS + number, str(number), anonymous_id="kiosk"))
    world.send(an_add(START_MS + HOUR_MS, user=None, anonymous_id="kiosk"))
    world.pass_time(START_MS + 5 * DAY_MS)
    assert world.emitted(Trigger) == []
    assert reached(world, "a:kiosk") == [("no_address", "")]


def test_a_guests_order_starts_nothing() -> None:
    world = ten()
    world.send(an_order(START_MS, user=None))
    world.pass_time(START_MS + 60 * DAY_MS)
    assert world.emitted(Decision) == []


# ------------------------------------------------------------------------------------------------------------ pause


@pytest.mark.parametrize("step_ms", [MINUTE_MS, HOUR_MS, 7 * HOUR_MS, 20 * DAY_MS])
@pytest.mark.parametrize("paused_ms", [VIEWED_MS + HOUR_MS, VIEWED_MS + 9 * HOUR_MS, DUE_MS - 2 * MINUTE_MS])
@pytest.mark.parametrize("rules", [RULES_3, RULES])
def test_a_pause_takes_back_what_is_out_before_it_is_due(rules: int, paused_ms: int, step_ms: int) -> None:
    world = out(rules=rules)
    world.pass_time(paused_ms)
    world.append("", world.restated(browse=FlowState(paused_ms=1)))
    for time_ms in range(paused_ms + step_ms, DUE_MS + 2 * step_ms, step_ms):
        world.pass_time(time_ms)
    (trigger,), (revocation,) = world.emitted(Trigger), world.emitted(Revocation)
    assert revocation.trigger_id == trigger.trigger_id
    assert revocation.reason == "The flow was paused before the message went out, so it was taken back."
    assert revocation.time_ms < trigger.due_ms
    assert [each.outcome for each in world.emitted(Decision)] == ["entered", "sent", "revoked"]
    profile = world.profile("u:0")
    assert profile is not None
    assert (profile.messages, profile.pending) == ((), ())


@pytest.mark.parametrize("paused", ["browse", ALL_FLOWS])
@pytest.mark.parametrize("before_ms", [19 * HOUR_MS, HOUR_MS, 1])
def test_a_pause_takes_back_at_once_what_idle_customers_are_to_get(before_ms: int, paused: str) -> None:
    world = out(customers=2 * WOKEN_MAX + 1)
    for time_ms in range(VIEWED_MS + 2 * HOUR_MS, DUE_MS - before_ms, HOUR_MS):
        world.pass_time(time_ms)
    world.pass_time(DUE_MS - before_ms)
    world.append("", world.restated(**{paused: FlowState(paused_ms=1)}))
    revocations = world.emitted(Revocation)
    assert {each.trigger_id for each in revocations} == {each.trigger_id for each in world.emitted(Trigger)}
    assert {each.time_ms for each in revocations} == {DUE_MS - before_ms}
    assert len(revocations) == 2 * WOKEN_MAX + 1
    world.pass_time(DUE_MS + DAY_MS)
    assert len(world.emitted(Revocation)) == len(revocations)


def test_flows_that_are_published_while_all_are_paused_send_nothing_until_all_go_on() -> None:
    world = World(flows=(), flow_states={ALL_FLOWS: FlowState(paused_ms=1)})
    told = world.settings.model_copy(update={"flows": (BEST,)})
    world.append("", Configured(told.model_dump_json(), 0))
    world.pass_time(VIEWED_MS - 1)
    world.send(a_view(VIEWED_MS))
    world.pass_time(VIEWED_MS + 2 * HOUR_MS)
    assert [each.outcome for each in world.emitted(Decision)] == ["entered", "deferred"]
    world.append("", Configured(told.model_copy(update={"flow_states": {}}).model_dump_json(), 0))
    world.pass_time(VIEWED_MS + 3 * HOUR_MS)
    assert [each.outcome for each in world.emitted(Decision)] == ["entered", "deferred", "sent"]


def test_a_customer_who_comes_back_during_the_pause_is_looked_at_at_once() -> None:
    world = out(rules=RULES_3)
    world.append("", world.restated(browse=FlowState(paused_ms=1)))
    world.send(a_touchpoint("page_viewed", VIEWED_MS + HOUR_MS + 1, "0"))
    assert len(world.emitted(Revocation)) == 1
    world.pass_time(DUE_MS + DAY_MS)
    assert len(world.emitted(Revocation)) == 1


def test_a_pause_of_another_flow_takes_nothing_back_and_before_rules_4_none_does_that_is_over() -> None:
    world = out(rules=RULES_3)
    world.append("", world.restated(browse=FlowState(paused_ms=1)))
    world.append("", world.restated(browse=FlowState(), other=FlowState(paused_ms=1)))
    world.pass_time(DUE_MS - 1)
    assert world.emitted(Revocation) == []
    world = out()
    world.append("", world.restated(browse=FlowState(), other=FlowState(paused_ms=1)))
    world.pass_time(DUE_MS - 1)
    assert world.emitted(Revocation) == []


def test_a_pause_after_a_message_was_due_takes_nothing_back() -> None:
    world = out()
    for minutes in range(0, 30 * 60, 10):
        world.pass_time(VIEWED_MS + HOUR_MS + minutes * MINUTE_MS)
    world.append("", world.restated(browse=FlowState(paused_ms=1)))
    world.send(a_touchpoint("page_viewed", DUE_MS + DAY_MS, "0"))
    world.pass_time(DUE_MS + 9 * DAY_MS)
    assert world.emitted(Revocation) == []


def test_nothing_goes_out_while_a_flow_is_paused_and_no_record_takes_back_more_than_its_share() -> None:
    world = out(customers=700, rules=RULES_3)
    world.append("", world.restated(browse=FlowState(paused_ms=1)))
    world.send(a_view(VIEWED_MS + HOUR_MS + 1, "late"))
    before = len(world.outputs)
    world.pass_time(VIEWED_MS + 2 * HOUR_MS)
    assert len(world.emitted(Revocation)) == 700
    assert len(world.outputs) - before >= 1_400
    world.pass_time(DUE_MS + 9 * DAY_MS)
    assert len(world.emitted(Trigger)) == 700
    assert [each.outcome for each in world.emitted(Decision, "u:late") if each.final] == ["paused"]


# ------------------------------------------------------------------------------------------------- without an answer


@pytest.mark.parametrize("gap_days", [1, 10, 29, 31, 90])
def test_who_answers_nothing_is_left_in_peace_until_an_answer_comes(gap_days: int) -> None:
    flow = a_bare_flow("looks", "product_viewed", products="entry", caps={"per_channel_hours": 0}, exits=[])
    world = World(flows=(flow,), unanswered_max=3)

    def looks(times: int, from_ms: int) -> list[str]:
        before = len(world.emitted(Decision))
        for number in range(times):
            world.pass_time(from_ms + number * gap_days * DAY_MS)
            world.send(a_view(from_ms + number * gap_days * DAY_MS))
        return [each.outcome for each in world.emitted(Decision)[before:] if each.final]

    later_ms = START_MS + 10 * gap_days * DAY_MS
    assert looks(8, START_MS) == ["sent"] * 3 + ["suppressed"] * 5
    world.send(a_touchpoint("email_opened", later_ms - 1))
    assert looks(8, later_ms)[-1] == "suppressed"
    assert len(world.emitted(Trigger)) == 6
    world.send(an_order(later_ms + 9 * gap_days * DAY_MS))
    assert looks(1, later_ms + 10 * gap_days * DAY_MS) == ["sent"]
