"""Segments and the weekly panel, as orders come and time goes by."""

from __future__ import annotations

from schemas.outputs import Credit, ProfileView, SegmentChanged
from streams.settings import Cuts
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_refund, an_order

CUTS = Cuts(
    recency_ms=(10 * DAY_MS, 20 * DAY_MS, 40 * DAY_MS, 80 * DAY_MS),
    frequency=(2, 3, 4, 5),
    monetary_minor=(5_000, 10_000, 15_000, 20_000),
)


def test_a_champion_who_stops_buying_moves_by_time_alone_each_on_the_day_its_cut_is_crossed() -> None:
    world = World(cuts_fixed=CUTS)
    orders = [an_order(START_MS + day * DAY_MS, 5_000) for day in range(5)]
    world.send(*orders)
    last_ms = orders[-1].time_ms
    world.pass_time(last_ms + 100 * DAY_MS)
    moves = [(m.before, m.after, m.time_ms - last_ms) for m in world.emitted(SegmentChanged)][-2:]
    assert moves == [
        ("Champions", "Loyal", 10 * DAY_MS + 1),
        ("Loyal", "Can't Lose", 40 * DAY_MS + 1),
    ]


def test_how_often_progress_comes_changes_nothing() -> None:
    orders = an_order(START_MS), an_order(START_MS + DAY_MS)

    def story(steps: int) -> list[SegmentChanged]:
        world = World(cuts_fixed=CUTS)
        world.send(*orders)
        for step in range(1, steps + 1):
            world.pass_time(START_MS + 120 * DAY_MS * step // steps)
        return world.emitted(SegmentChanged)

    assert story(1) == story(7) == story(500)
    assert len(story(1)) > 2


def test_a_fully_refunded_order_does_not_count() -> None:
    world = World()
    world.send(an_order(START_MS, 1_000, order_id="o1"), a_refund(START_MS + 5, "o1", 1_000))
    view = world.emitted(ProfileView)[-1]
    assert (view.segment, view.orders, view.monetary_minor) == ("none", 0, 0)
    assert sum(row.amount_minor for row in world.emitted(Credit) if row.model == "linear") == 0


def test_every_customer_with_an_order_is_on_the_panel_once_a_week() -> None:
    world = World()
    world.send(*(an_order(START_MS, user=f"{user}") for user in range(20)))
    world.pass_time(START_MS + 21 * DAY_MS)
    rows = [row.customer_hash for row in world.panel]
    assert sorted(rows) == sorted(list(set(rows)) * 3)
    assert len(set(rows)) == 20


def test_the_sum_of_customers_by_segment_is_the_number_of_customers_with_an_order() -> None:
    world = World(cuts_fixed=CUTS)
    world.send(*(an_order(START_MS + user * HOUR_MS, 1_000 * user, user=f"{user % 7}") for user in range(1, 40)))
    world.pass_time(START_MS + 90 * DAY_MS)
    by_segment = sum(
        v for (name, _, by), v in world.counts.items() if name == "customers" and by.startswith("segment=")
    )
    assert by_segment == world.total("customers_ordered") == 7
