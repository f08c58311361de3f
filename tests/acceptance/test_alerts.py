"""A simulated shop, whose truth is known, goes through a worker while the shipped monitoring looks on."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import jsonschema  # type: ignore[import-untyped]
import pytest

from schemas.insights import Anomaly, Facts, Kpi
from schemas.outputs import DeadLetter, Decision, ProfileView, Trigger
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.files import library_documents
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source
from streams.shop.generator import Shop, ShopParameters
from streams.shop.truth import REMINDER_MS
from streams.telemetry.gauges import HELD_S
from tests.support.dashboard import dashboard, without_data
from tests.support.files import dashboard_schema
from tests.support.reminders import FIRST, Past, ended_before_due, matched
from tests.support.running import Place, a_worker, make_place, play
from tests.support.watching import Watch, is_watchable, until, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint
    from streams.shop.truth import Truth

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(600)]

CAP_MS = 20 * HOUR_MS
CAP_WEEK = 3
# after the shop's end time runs on until its last cart is decided and its last hour closed, but not so long that
# the silence is an anomaly of its own
DRAIN_MS = 4 * HOUR_MS
FULL = ShopParameters()
# the detector learns for a week; then hours of a day at a tenth
QUICK = ShopParameters.model_validate(
    {
        "days": 8,
        "customers": 3_000,
        "visits_per_order": 0.2,
        "outages": [{"day": 7, "hour": 12, "hours": 4, "share": 0.1}],
    }
)


@dataclass
class Trade:
    """A shop's past that a worker has folded; `watch` is None where Prometheus cannot be had."""

    touchpoints: list[Touchpoint]
    truth: Truth
    end_ms: int
    place: Place
    watch: Watch | None

    @property
    def anomalies(self) -> list[Anomaly]:
        return [each for each in self.place.records("anomalies", Anomaly) if each.status == "raised"]

    def facts(self) -> Counter[tuple[str, str]]:
        """Sums over all hours and partitions by (name, by)."""
        found: Counter[tuple[str, str]] = Counter()
        for facts in self.place.records("facts", Facts):
            for count in facts.counts:
                found[count.name, count.by] += count.value
        return found


@pytest.fixture(
    scope="module",
    params=[pytest.param(QUICK, id="quick"), pytest.param(FULL, id="full", marks=pytest.mark.slow)],
)
def trade(request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    parameters: ShopParameters = request.param
    folder = tmp_path_factory.mktemp("trade")
    shop = Shop(parameters)
    touchpoints = list(shop.touchpoints())
    place = make_place(
        kafka,
        f"trade-{uuid4().hex[:8]}",
        folder,
        reporting_time_zone=parameters.time_zone,
        reporting_currency=parameters.currency,
        flows=library_documents(),
    )
    with ExitStack() as running:
        worker = running.enter_context(a_worker(place))
        watching = watched(worker.address.removeprefix("http://"), folder / "watch")
        watch = running.enter_context(watching) if is_watchable() else None
        play(place, Source("shop", (MappedTouchpoint(each, 1) for each in touchpoints)), drain_ms=DRAIN_MS)
        yield Trade(touchpoints, shop.truth, parameters.end_ms, place, watch)


@pytest.fixture
def watch(trade: Trade, monitoring: None) -> Watch:  # noqa: ARG001 - asked for to skip where there is none
    assert trade.watch is not None
    return trade.watch


def test_every_query_of_the_dashboard_finds_data_on_a_busy_worker(watch: Watch) -> None:
    until(lambda: not without_data(watch.prometheus), "every panel has data", 15)


def test_the_team_is_told_of_the_hours_in_which_hardly_an_order_was_recorded(watch: Watch) -> None:
    until(lambda: watch.webhook.firing("KpiAnomaly"), "KpiAnomaly reaches the webhook")
    told = {alert["labels"]["kpi"] for alert in watch.webhook.firing("KpiAnomaly")}
    assert "orders" in told
    assert told <= {"orders", "revenue_minor"}
    assert watch.webhook.firing("WorkerDown") == []


def test_the_anomaly_raised_is_the_one_that_was_planted(trade: Trade) -> None:
    (outage,) = trade.truth.outages
    hourly = Counter(each.time_ms // HOUR_MS for each in trade.touchpoints if each.type == "order_completed")
    assert sum(count >= 60 for count in hourly.values()) > 4 * trade.end_ms // DAY_MS - 4 * FULL.start_ms // DAY_MS
    orders = [each for each in trade.anomalies if each.kpi == "orders"]
    assert [(each.direction, each.start_ms) for each in orders] == [("low", outage.start_ms)]
    assert orders[0].observed == hourly[outage.start_ms // HOUR_MS] < 0.2 * orders[0].expected
    before_the_end = [each for each in trade.anomalies if each.start_ms < trade.end_ms]
    assert {each.kpi for each in before_the_end} <= {"orders", "revenue_minor"}
    assert all(outage.start_ms <= each.start_ms < outage.end_ms for each in before_the_end)
    # then nothing comes in any more
    assert {each.kpi for each in trade.anomalies} - {"orders", "revenue_minor"} <= {"flow_inputs"}


@pytest.mark.slow
def test_the_gauge_is_held_although_the_replay_was_over_the_anomaly_in_moments(trade: Trade, watch: Watch) -> None:
    if trade.end_ms != FULL.end_ms:
        # the same test runs with the full form whenever it runs with this one
        pytest.skip("takes the time it is held: the full form shows it")
    assert {each.status for each in trade.place.records("anomalies", Anomaly) if each.kpi == "orders"} == {
        "raised",
        "cleared",
    }
    gauge = 'touchstream_anomaly_active{kpi="orders"}'

    def high() -> list[float]:
        return [at for at, value in watch.samples(gauge) if value == 1]

    until(lambda: high() and watch.samples(gauge)[-1][1] == 0, "the gauge falls", HELD_S + 30)
    # scraped each second
    assert high()[-1] - high()[0] >= HELD_S - 2


def test_the_dashboard_is_what_grafana_calls_one() -> None:
    jsonschema.validate(dashboard(), json.loads(dashboard_schema().read_text()))


def test_nothing_that_happened_in_the_shop_is_lost_or_counted_twice(trade: Trade) -> None:
    truth, facts = trade.truth, trade.facts()
    assert trade.place.records("dead_letters", DeadLetter) == []
    assert facts["folded", ""] == truth.touchpoints
    assert facts["duplicates", ""] == truth.repeats
    assert facts["forwards_sent", ""] == facts["forwards_received", ""] > 0
    assert (facts["orders", ""], facts["revenue_minor", ""]) == (truth.orders, truth.revenue_minor)
    assert (facts["refunds", ""], facts["refunds_minor", ""]) == (truth.refunds, truth.refunds_minor)
    spent = {by.removeprefix("channel="): total for (name, by), total in facts.items() if name == "spend_minor"}
    assert spent == truth.spend_minor


def test_orders_and_revenue_of_each_hour_are_the_shops(trade: Trade) -> None:
    told: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for kpi in trade.place.records("kpis", Kpi):
        if kpi.grain == "hour" and not kpi.by:
            told[kpi.name][kpi.start_ms] = max(told[kpi.name].get(kpi.start_ms, (-1, 0)), (kpi.revision, kpi.numerator))
    orders: Counter[int] = Counter()
    revenue: Counter[int] = Counter()
    for each in {each.event_id: each for each in trade.touchpoints if each.type == "order_completed"}.values():
        assert each.order is not None
        orders[each.time_ms // HOUR_MS * HOUR_MS] += 1
        revenue[each.time_ms // HOUR_MS * HOUR_MS] += each.order.total_minor
    for name, expected in (("orders", orders), ("revenue_minor", revenue)):
        assert {at: value for at, (_, value) in told[name].items() if value} == expected


def test_each_customers_orders_and_spend_are_their_own(trade: Trade) -> None:
    """Orders taken back whole do not count, what was paid back is taken off."""
    totals: dict[str, dict[str, int]] = defaultdict(dict)
    for each in {each.event_id: each for each in trade.touchpoints}.values():
        if each.order is not None and each.user_id is not None:
            amount = each.order.total_minor if each.type == "order_completed" else -each.order.total_minor
            orders = totals[each.user_id]
            orders[each.order.order_id] = orders.get(each.order.order_id, 0) + amount
    expected = {user: (sum(v > 0 for v in orders.values()), sum(orders.values())) for user, orders in totals.items()}
    profiles = trade.place.last("profiles", ProfileView)
    shown = {key[2:]: (each.orders, each.monetary_minor) for key, each in profiles.items() if key.startswith("u:")}
    assert {user: shown.get(user) for user in expected} == expected
    assert not any(orders for user, (orders, _) in shown.items() if user not in expected)


def test_each_customer_has_the_devices_on_which_they_were_known(trade: Trade) -> None:
    expected: dict[str, set[str]] = defaultdict(set)
    for device, users in trade.truth.devices.items():
        for user in users:
            expected[f"u:{user}"].add(f"a:{device}")
    profiles = trade.place.last("profiles", ProfileView)
    shown = {key: set(each.devices) for key, each in profiles.items() if key.startswith("u:") and each.devices}
    assert shown == expected
    # a device that became its user is no customer any more, and no other is missing
    strangers = {
        each.anonymous_id for each in trade.touchpoints if each.anonymous_id is not None
    } - trade.truth.devices.keys()
    assert {key[2:] for key in profiles if key.startswith("a:")} == strangers


def test_every_cart_that_was_left_is_decided_about_two_hours_later(trade: Trade) -> None:
    past = Past(trade.touchpoints)
    decisions = trade.place.records("decisions", Decision)
    found = matched(trade.truth, decisions, past)
    assert len(found.pairs) > 0.9 * len(trade.truth.abandoned)
    assert all(0 <= each.time_ms - cart.last_add_ms - REMINDER_MS < HOUR_MS for each, cart in found.pairs)
    # two carts of a customer known on one device become one when the other device is found to be theirs
    united = {past.by_id[each.cause].session_id for each in decisions if each.evidence.get("event") == "merge"}
    unexplained = [
        cart
        for cart in found.without_decision
        if cart.session_id not in united and ended_before_due(cart, trade.truth, past) is None
    ]
    assert unexplained == []
    # and who ordered soon hears nothing
    assert not any(cart.ordered_soon for _, cart in found.pairs)


def test_a_customer_who_left_no_cart_is_reminded_of_none_but_where_two_share_a_device(trade: Trade) -> None:
    past = Past(trade.touchpoints)
    found = matched(trade.truth, trade.place.records("decisions", Decision), past)
    for decision in found.without_cart:
        # nobody was logged in; the cart was taken for that of the one who had been, and the other bought it
        add = past.by_id[decision.cause]
        users = trade.truth.devices[add.anonymous_id or ""]
        assert add.user_id is None
        assert decision.customer[2:] in users
        assert len(users) > 1
    assert len(found.without_cart) < 0.1 * len(found.pairs)


def test_each_candidate_gets_one_answer_with_its_true_reason(trade: Trade) -> None:
    decisions = trade.place.records("decisions", Decision)
    past, sent = Past(trade.touchpoints), _sent_by_person(trade)
    entered = [each.candidate_id for each in decisions if each.outcome == "entered"]
    final = [each for each in decisions if each.final]
    assert len(set(entered)) == len(entered)
    assert (
        len({each.candidate_id for each in final}) == len(final) == len(entered) - trade.facts()["decisions_open", ""]
    )
    assert {each.candidate_id for each in final} < set(entered)
    assert {each.outcome for each in final} == {"sent", "held_out", "no_consent", "no_address", "capped", "exited"}
    for each in final:
        consented = past.consented(each.customer, each.time_ms)
        if each.outcome == "no_consent":
            assert not consented, each
        if each.outcome == "no_address":
            assert each.customer.startswith("a:"), each  # nobody has logged in there
        if each.outcome == "held_out":
            assert each.arm == "holdout", each
        if each.outcome == "capped":
            times = [time_ms for time_ms in sent[each.customer] if time_ms < each.time_ms]
            assert times[-1] > each.time_ms - CAP_MS or len(times) >= CAP_WEEK, each
        if each.outcome == "sent":
            assert consented, each
            assert each.arm == "treatment", each
    decided = [each for each in final if each.outcome in {"sent", "held_out", "capped"} and each.step == FIRST]
    share = sum(each.arm == "holdout" for each in decided) / len(decided)
    assert 0.07 < share < 0.13


def test_nobody_gets_more_reminders_than_the_caps_allow(trade: Trade) -> None:
    triggers = trade.place.records("triggers", Trigger)
    decisions = Counter(each.outcome for each in trade.place.records("decisions", Decision))
    # what was held until time had come is revoked before anybody saw it
    sent = decisions["sent"] - decisions["revoked"]
    assert len({each.trigger_id for each in triggers}) == len(triggers) == sent > 0
    by_customer = defaultdict(list)
    for each in triggers:
        by_customer[each.customer].append(each.decided_ms)
    for times in by_customer.values():
        assert all(later - earlier >= CAP_MS for earlier, later in pairwise(times))
        assert all(later - first >= 7 * DAY_MS for first, later in zip(times, times[CAP_WEEK:], strict=False))


def _sent_by_person(trade: Trade) -> dict[str, list[int]]:
    """Times of messages by customer; those to a device count for each who was known on it."""
    sent: dict[str, list[int]] = defaultdict(list)
    for trigger in trade.place.records("triggers", Trigger):
        sent[trigger.customer].append(trigger.decided_ms)
        if trigger.customer.startswith("a:"):
            for user in trade.truth.devices.get(trigger.customer[2:], []):
                sent[f"u:{user}"].append(trigger.decided_ms)
    return defaultdict(list, {customer: sorted(times) for customer, times in sent.items()})
