"""Views in a category: counted in a window to the millisecond, where a published flow asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outputs import Decision
from schemas.touchpoint import Product
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from streams.profiles.profile import VIEWS_MAX, CategoryView
from streams.profiles.views import KEPT_DAYS, united
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

THRICE = {"field": "views", "category": "rugs", "within": "7d", "at_least": 3}


def counting(condition: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return a_flow(**{"entry": {"event": "product_viewed", "condition": condition}, "needs": {}, "wait": {}} | changes)


def a_view(at_ms: int, *categories: str, user: str | None = "1", **fields: Any) -> Touchpoint:
    products = tuple(Product(f"sku-{name}", 900, 1, name) for name in categories or ("rugs",))
    return a_touchpoint("product_viewed", at_ms, user, products=products, **fields)


def entered(world: World) -> list[str]:
    return [item.customer for item in world.emitted(Decision) if item.outcome == "entered"]


def is_met(*views: Touchpoint, condition: dict[str, Any] = THRICE) -> bool:
    world = World(flows=[counting(condition)])
    world.send(*views)
    return bool(entered(world))


def test_three_views_of_a_category_in_seven_days_are_three_views() -> None:
    last_ms = START_MS + 7 * DAY_MS
    assert is_met(a_view(START_MS + 1), a_view(START_MS + DAY_MS), a_view(last_ms))
    assert not is_met(a_view(START_MS), a_view(START_MS + DAY_MS), a_view(last_ms))


def test_only_views_of_that_category_count_each_once() -> None:
    assert not is_met(a_view(START_MS), a_view(START_MS + 1, "mugs"), a_view(START_MS + 2))
    assert is_met(a_view(START_MS), a_view(START_MS + 1, "mugs", "rugs"), a_view(START_MS + 2))
    assert not is_met(a_view(START_MS), a_view(START_MS + 1, "rugs", "rugs"))
    assert not is_met(*[a_view(START_MS, event_id="same") for _ in range(3)])
    assert is_met(*[a_view(START_MS) for _ in range(3)]), "a source that knows only seconds"
    added = [a_touchpoint("product_added", START_MS, products=a_view(START_MS).products) for _ in range(3)]
    assert not is_met(*added, a_view(START_MS))


def test_a_view_that_comes_late_counts_at_its_own_time() -> None:
    world = World(flows=[counting(THRICE)])
    late_ms = START_MS + 8 * DAY_MS
    world.send(a_view(late_ms - HOUR_MS), a_view(late_ms))
    world.send(a_view(START_MS), received_ms=late_ms + 1)
    assert entered(world) == []
    world.send(a_view(late_ms - 2 * HOUR_MS), received_ms=late_ms + 2)
    assert entered(world) == ["u:1"]


def test_what_a_device_viewed_counts_for_its_user() -> None:
    world = World(flows=[counting(THRICE)])
    world.send(a_view(START_MS, user=None, anonymous_id="phone"), a_view(START_MS + 1, user=None, anonymous_id="phone"))
    world.send(a_view(START_MS + 2, anonymous_id="phone"))
    assert entered(world) == []
    world.send(a_view(START_MS + 3))
    assert entered(world) == ["u:1"]


def test_needs_and_branches_count_views_too() -> None:
    at_most = {**THRICE, "at_least": 0, "at_most": 1}
    needing = counting({"field": "orders", "at_most": 0}, needs={"condition": at_most}, wait={"for": "1h"})
    for views, outcome in ((1, "sent"), (2, "exited")):
        world = World(flows=[needing])
        world.send(*[a_view(START_MS + number) for number in range(views)])
        world.pass_time(START_MS + 2 * HOUR_MS)
        assert world.emitted(Decision)[-1].outcome == outcome


def test_a_profile_keeps_no_views_that_no_flow_counts() -> None:
    world = World(flows=[counting(THRICE)])
    world.send(a_view(START_MS, "mugs"), a_view(START_MS + 1))
    assert [view.category for view in world.profile("u:1").views] == ["rugs"]  # type: ignore[union-attr]
    bare = World()
    bare.send(a_view(START_MS))
    assert bare.profile("u:1").views == ()  # type: ignore[union-attr]


def test_a_profile_keeps_the_newest_views() -> None:
    views = [CategoryView(START_MS + number, number, "rugs") for number in range(VIEWS_MAX + 5)]
    assert united(views, ()) == tuple(views[5:])
    assert united(views, [CategoryView(START_MS + KEPT_DAYS * DAY_MS + 50, 0, "mugs")])[0].time_ms == START_MS + 51


some_views = st.lists(
    st.builds(
        CategoryView, st.integers(0, 50).map(lambda n: n * DAY_MS), st.integers(0, 3), st.sampled_from(["a", "b"])
    ),
    max_size=VIEWS_MAX,
)


@given(some_views, some_views, some_views)
def test_whatever_the_order_of_merges_the_views_are_the_same(
    one: list[CategoryView], two: list[CategoryView], three: list[CategoryView]
) -> None:
    assert united(united(one, two), three) == united(one, united(three, two))
    assert united(one, one) == united(one, ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"category": None}, "views need a category, and no other field has one"),
        ({"field": "touches"}, "views need a category, and no other field has one"),
        ({"within": "31d"}, "within must be above 0 and at most 30d, because profiles keep no more"),
        ({"at_least": 101}, "profiles keep at most 100, so at_least is never reached"),
    ],
)
def test_a_count_of_views_that_says_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: entry\.condition is .*: {message}$"):
        compile_flows([counting({**THRICE, **changes})])
