"""What operators see of what was committed."""

from __future__ import annotations

import math

import pytest
from structlog.testing import capture_logs

from schemas.insights import Anomaly, Count, Facts, Kpi, Model
from schemas.journal import Wake
from schemas.outputs import DeadLetter, Decision, SegmentChanged
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer, known_labels
from tests.support.effects import a_credit, a_trigger
from tests.support.metrics import value

HOUR_MS = 3_600_000


def an_observer(**known: object) -> tuple[Observer, Metrics]:
    metrics = Metrics()
    return Observer(metrics, Known(**known)), metrics  # type: ignore[arg-type]


def an_anomaly(status: str, kpi: str = "orders") -> Anomaly:
    return Anomaly(
        anomaly_id="a",
        kpi=kpi,
        by="",
        status=status,
        start_ms=0,
        time_ms=0,
        observed=1,
        expected=9,
        score=2,
        direction="low",
        detector="pot",
    )


def a_kpi(start_ms: int, value: float | None, by: str = "") -> Kpi:
    return Kpi(
        name="orders",
        grain="hour",
        start_ms=start_ms,
        by=by,
        value=value,
        numerator=0,
        denominator=1,
        revision=0,
    )


def test_each_effect_counts_under_its_own_labels_and_no_customer() -> None:
    observer, metrics = an_observer()
    observer.observe_committed(
        [
            a_trigger(flow_id="cart"),
            Decision("d", "u:1", "cart", 1, "1", "treatment", "sent", True, "", "e", 0),  # noqa: FBT003 - final
            SegmentChanged("s", "u:1", "Loyal", "At Risk", 1, 4, 4, "cuts-1", "timer", 0),
            a_credit(700),
            a_credit(-200),
            Model("cuts", "cuts-2011-01-03", 0, "json", b"{}", "touchstream", 1),
            Wake(0),
        ]
    )
    assert value(metrics, "triggers_total", flow="cart") == 1
    assert value(metrics, "decisions_total", flow="cart", outcome="sent") == 1
    assert value(metrics, "segment_changes_total", segment="At Risk") == 1
    assert value(metrics, "credited_minor_total", model="linear", channel="email", currency="EUR") == 700
    assert value(metrics, "reversed_minor_total", model="linear", channel="email", currency="EUR") == 200
    assert value(metrics, "model_info", kind="cuts", version="cuts-2011-01-03") == 1
    assert b"u:1" not in metrics.text()


def test_credit_in_another_currency_is_no_credit_in_the_shops() -> None:
    observer, metrics = an_observer(currency="EUR")
    foreign, odd = a_credit(300, currency="USD"), a_credit(50, channel="email,currency=USD")
    observer.observe_committed([a_credit(700), foreign, odd, a_credit(-20, currency="USD")])
    shown = {
        (channel, currency): value(metrics, "credited_minor_total", model="linear", channel=channel, currency=currency)
        for channel in ("email", "email,currency=USD")
        for currency in ("EUR", "USD")
    }
    assert shown == {
        ("email", "EUR"): 700,
        ("email", "USD"): 300,
        ("email,currency=USD", "EUR"): 50,
        ("email,currency=USD", "USD"): None,
    }
    assert value(metrics, "reversed_minor_total", model="linear", channel="email", currency="USD") == 20
    assert value(metrics, "reversed_minor_total", model="linear", channel="direct", currency="EUR") == 0


def test_collected_is_journalled_plus_what_collect_refused() -> None:
    observer, metrics = an_observer()
    observer.observe_journalled(5)
    observer.observe_committed(
        [
            DeadLetter("no_id", "", "collect", "t", 0, 0),
            DeadLetter("identity_loop", "", "fold", "t", 0, 1),
        ]
    )
    assert value(metrics, "touchpoints_collected_total") == 6
    assert value(metrics, "touchpoints_journalled_total") == 5
    assert value(metrics, "dead_letters_total", stage="fold", reason="identity_loop") == 1


def test_facts_count_the_trade_once_whatever_dimensions_they_come_in() -> None:
    observer, metrics = an_observer()
    counts = (
        Count("orders", HOUR_MS, "", 3),
        Count("revenue_minor", HOUR_MS, "", 900),
        Count("revenue_minor", HOUR_MS, "currency=USD", 100),
        Count("duplicates", 0, "", 2),
        Count("orders", HOUR_MS, "", -1),
    )
    observer.observe_committed([Facts(2, 1_500, counts)])
    assert value(metrics, "orders_total") == 3
    assert value(metrics, "revenue_minor_total") == 900
    assert value(metrics, "duplicates_total") == 2
    assert value(metrics, "event_time_seconds", partition="2") == 1.5
    observer.withdraw_partition(2)
    observer.withdraw_partition(2)
    assert value(metrics, "event_time_seconds", partition="2") is None


def test_time_that_is_held_back_is_shown_by_partition_while_the_partition_is_here() -> None:
    observer, metrics = an_observer()
    observer.observe_held_back({2: 1_500})
    assert value(metrics, "time_held_back_seconds", partition="2") == 1.5
    observer.withdraw_partition(2)
    assert value(metrics, "time_held_back_seconds", partition="2") is None


def test_a_kpi_shows_its_latest_window_and_corrections_of_older_ones_do_not() -> None:
    observer, metrics = an_observer(kpis=("orders",))
    observer.show_insights(InsightSnapshot())
    assert math.isnan(value(metrics, "kpi", kpi="orders", grain="hour") or 0)
    observer.observe_committed(
        [
            a_kpi(2 * HOUR_MS, 8.0),
            a_kpi(HOUR_MS, 5.0),
            a_kpi(2 * HOUR_MS, 9.0),
            a_kpi(3 * HOUR_MS, 1.0, by="channel=email"),
        ]
    )
    assert value(metrics, "kpi", kpi="orders", grain="hour") == 9.0
    assert value(metrics, "kpi_window_timestamp_seconds", kpi="orders", grain="hour") == 7200.0


def test_stock_models_and_anomalies_move_with_the_facts_to_another_worker() -> None:
    observer, metrics = an_observer(segments=("Loyal",), kpis=("orders",))
    stock = {
        ("customers", "segment=Loyal"): 4,
        ("customers", "cluster=0"): 6,
        ("customers_known", ""): 10,
        ("forwards_sent", ""): 9,
        ("forwards_received", ""): 7,
        ("decisions_open", ""): 3,
        ("links_waiting", ""): 5,
    }
    held = InsightSnapshot(stock=stock, anomalies=(("orders", ""),), models={"cuts": "cuts-1", "clusters": None})
    observer.show_insights(held)
    assert value(metrics, "customers", segment="Loyal") == 4
    assert value(metrics, "cluster_customers", cluster="0") == 6
    assert value(metrics, "cluster_customers", cluster="none") == 4
    assert value(metrics, "forwards_open") == 2
    assert value(metrics, "decisions_open") == 3
    assert value(metrics, "links_waiting") == 5
    assert value(metrics, "anomaly_active", kpi="orders") == 1
    observer.observe_committed([Model("cuts", "cuts-2", 0, "json", b"{}", "touchstream", 1), an_anomaly("cleared")])
    assert value(metrics, "model_info", kind="cuts", version="cuts-1") is None
    assert value(metrics, "model_info", kind="cuts", version="cuts-2") == 1
    assert value(metrics, "anomaly_active", kpi="orders") == 0
    observer.withdraw_insights()
    assert value(metrics, "customers", segment="Loyal") is None
    assert value(metrics, "anomaly_active", kpi="orders") is None
    assert value(metrics, "model_info", kind="cuts", version="cuts-2") is None


def test_an_anomaly_is_counted_when_raised_not_when_cleared() -> None:
    observer, metrics = an_observer(kpis=("orders",))
    observer.observe_committed([an_anomaly("raised"), an_anomaly("cleared")])
    assert value(metrics, "anomalies_total", kpi="orders") == 1
    assert value(metrics, "anomaly_active", kpi="orders") == 1  # held


@pytest.mark.parametrize("clock", ["wall", "marks"])
def test_known_labels_show_zeros_before_anything_happened(clock: str) -> None:
    known = known_labels(
        DomainSettings.model_validate({"clock": clock}), flows=("abandoned_cart",), reasons={"collect": ("no_id",)}
    )
    metrics = Metrics()
    Observer(metrics, known).show_insights(InsightSnapshot())
    assert value(metrics, "wall_clock") == (clock == "wall")
    assert value(metrics, "dead_letters_total", stage="collect", reason="no_id") == 0
    assert value(metrics, "triggers_total", flow="abandoned_cart") == 0
    assert value(metrics, "customers", segment="Champions") == 0
    assert value(metrics, "anomaly_active", kpi="conversion_rate") == 0


def test_a_request_to_be_forgotten_is_said_in_the_log_without_an_id() -> None:
    observer, _ = an_observer()
    with capture_logs() as logged:
        observer.observe_committed([Facts(3, None, (Count("erasure_requests", 0, "", 2), Count("folded", 0, "", 9)))])
    (line,) = logged
    assert (line["log_level"], line["requests"], line["partition"]) == ("warning", 2, 3)
    assert "nothing was erased yet" in line["event"]
