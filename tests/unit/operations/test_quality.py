"""The report of a prefix: its last days beside the seven before, by source and type."""

from __future__ import annotations

from schemas.insights import Arrivals, Count, Facts
from streams.operations.quality import FieldQuality, PrefixQuality, SourceQuality, reviewed
from tests.support.arrivals import DAY_MS, MONDAY_MS, ORDERS, VIEWS, an_arrival

TO_MS = MONDAY_MS + 8 * DAY_MS
FROM_MS = TO_MS - DAY_MS


def a_week(fields: dict[str, int]) -> list[Arrivals | Facts]:
    return [an_arrival(MONDAY_MS + day * DAY_MS, 70, fields=fields) for day in range(7)]


def the_orders(found: PrefixQuality) -> SourceQuality:
    (orders,) = [each for each in found.sources if (each.source, each.type) == ORDERS]
    return orders


def test_the_last_day_is_shown_beside_the_mean_of_the_week_before() -> None:
    late = an_arrival(FROM_MS + 5, 10, fields={"total": 10}, late=3, ahead=1, no_user=2, no_key=1)
    found = the_orders(reviewed([*a_week({"total": 70}), late], FROM_MS, TO_MS))
    assert (found.touchpoints, found.per_day_before, found.last_ms) == (10, 70.0, FROM_MS + 5)
    assert (found.looked, found.late, found.ahead, found.no_user, found.no_key) == (10, 3, 1, 2, 1)


def test_fields_that_came_or_went_are_named_with_their_shares() -> None:
    today = an_arrival(FROM_MS, 40, fields={"order_total": 40, "coupon": 10})
    found = the_orders(reviewed([*a_week({"total": 70, "coupon": 7}), today], FROM_MS, TO_MS))
    assert found.fields == (FieldQuality("order_total", "new", 1.0, 0.0), FieldQuality("total", "vanished", 0.0, 1.0))


def test_what_did_not_come_in_any_more_is_there_with_what_came_before() -> None:
    found = the_orders(reviewed([*a_week({}), an_arrival(FROM_MS, 5, VIEWS)], FROM_MS, TO_MS))
    assert (found.touchpoints, found.per_day_before, found.days_without) == (0, 70.0, 1)


def test_what_is_older_or_newer_does_not_count() -> None:
    old, new = an_arrival(FROM_MS - 8 * DAY_MS), an_arrival(TO_MS)
    assert reviewed([old, new], FROM_MS, TO_MS).sources == ()


def test_duplicates_are_those_that_the_folds_found() -> None:
    counts = (
        Count("source_duplicates", 0, "source=shop", 3),
        Count("orders_repeated", 0, "", 2),
        Count("orders", 0, "", 9),
    )
    facts = Facts(0, None, counts)
    found = reviewed([facts, facts], FROM_MS, TO_MS)
    assert (found.duplicates, found.orders_repeated) == ({"shop": 6}, 4)
