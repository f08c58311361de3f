"""KPIs as fractions: averages are of one currency."""

from __future__ import annotations

from streams.insights.kpis import Fraction, measured


def test_the_average_order_is_over_the_orders_in_the_currency_of_the_revenue() -> None:
    counts = {
        "orders|": 10,
        "revenue_minor|": 10_000,
        "orders|currency=USD": 7,
        "revenue_minor|currency=USD": 63_000,
        "orders|currency=JPY": 2,
        "revenue_minor|currency=JPY": 500,
    }
    kpis = measured(counts)
    assert kpis["aov_minor|"] == Fraction(10_000, 1)
    assert kpis["aov_minor|currency=USD"] == Fraction(63_000, 7)
    assert kpis["aov_minor|currency=JPY"] == Fraction(500, 2)
    assert kpis["orders|"] == Fraction(10, 1)
    assert kpis["orders|currency=USD"] == Fraction(7, 1)


def test_only_orders_in_other_currencies_leave_no_average_in_the_reporting_currency() -> None:
    kpis = measured({"orders|": 2, "orders|currency=USD": 2, "revenue_minor|currency=USD": 10})
    assert kpis["aov_minor|"] == Fraction(0, 0)


def test_currencies_that_are_added_up_have_no_average() -> None:
    kpis = measured({"orders|": 2, "orders|currency=other": 2, "revenue_minor|currency=other": 10})
    assert kpis["revenue_minor|currency=other"] == Fraction(10, 1)
    assert "aov_minor|currency=other" not in kpis


def test_orders_that_earlier_rules_did_not_count_by_currency_are_all_in_the_average() -> None:
    kpis = measured({"orders|": 2, "revenue_minor|": 10, "revenue_minor|currency=USD": 90})
    assert kpis["aov_minor|"] == Fraction(10, 2)
    assert "aov_minor|currency=USD" not in kpis
