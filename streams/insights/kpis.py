"""KPIs as fractions of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.insights import Kpi
from schemas.limits import LONG_MAX, LONG_MIN, as_long

if TYPE_CHECKING:
    from collections.abc import Mapping


class Formula(NamedTuple):
    """(`plus` - `minus`) / `over` of counts; without `over` a sum."""

    name: str
    plus: str
    minus: str | None = None
    over: str | None = None


class Fraction(NamedTuple):
    """Exact value of a KPI; the denominator of a sum is 1."""

    numerator: int
    denominator: int

    @property
    def fits(self) -> bool:
        """Return whether a record can hold both as longs."""
        return LONG_MIN <= self.numerator <= LONG_MAX and LONG_MIN <= self.denominator <= LONG_MAX


NOTHING = Fraction(0, 1)
OTHER = "other"
"""The value of a dimension under which those are added up that are not kept apart."""

# a rate of one hour can be outside 0..1, if the things it counts began in the hour before
FORMULAS = (
    Formula("orders", "orders"),
    Formula("revenue_minor", "revenue_minor"),
    Formula("aov_minor", "revenue_minor", over="orders"),
    Formula("conversion_rate", "sessions_ordered", over="sessions"),
    Formula("cart_abandonment_rate", "carts_opened", minus="carts_ordered", over="carts_opened"),
    Formula("refunds_minor", "refunds_minor"),
    Formula("sessions", "sessions"),
    Formula("new_customers", "new_customers"),
)
SUMS = frozenset(formula.name for formula in FORMULAS if formula.over is None)
OF_IMPORTS = "imported_"
"""Begins the counts of an hour that is not over which an import brought, beside those of all."""
COUNTED = frozenset(
    name for formula in FORMULAS for name in (formula.plus, formula.minus, formula.over) if name is not None
) | {"messages", "flow_inputs", f"{OF_IMPORTS}orders", f"{OF_IMPORTS}revenue_minor"}
"""Facts that windows keep; messages of flows and types that flows rely on are only watched, not published."""


def measured(counts: Mapping[str, int]) -> dict[str, Fraction]:
    """Return the KPIs of a window from its counts, both by `name|by`.

    All formulas exist for the whole; a dimension has only the sums that were counted by it. Money of the whole is in
    the reporting currency. So its average is over the orders in that currency, and each other currency has its own.
    """
    result: dict[str, Fraction] = {}
    for name, plus, minus, over in FORMULAS:
        numerator = counts.get(f"{plus}|", 0) - (counts.get(f"{minus}|", 0) if minus else 0)
        result[f"{name}|"] = Fraction(numerator, counts.get(f"{over}|", 0) if over else 1)
    foreign_orders = 0
    for key, value in counts.items():
        name, _, by = key.partition("|")
        if by and name in SUMS:
            result[key] = Fraction(value, 1)
        if by and name == "orders":
            foreign_orders += value
            revenue_minor = counts.get(f"revenue_minor|{by}")
            if revenue_minor is not None and by != f"currency={OTHER}":
                result[f"aov_minor|{by}"] = Fraction(revenue_minor, value)
    if foreign_orders:
        average = result["aov_minor|"]
        result["aov_minor|"] = Fraction(average.numerator, average.denominator - foreign_orders)
    return result


def kpi_record(key: str, fraction: Fraction, grain: str, start_ms: int, revision: int) -> Kpi:
    """Return the record; a part that no long holds is the nearest long, while `value` is right."""
    name, _, by = key.partition("|")
    numerator, denominator = fraction
    return Kpi(
        name=name,
        grain=grain,
        start_ms=start_ms,
        by=by,
        value=numerator / denominator if denominator else None,
        numerator=as_long(numerator),
        denominator=as_long(denominator),
        revision=revision,
    )
