"""Half a year of a real shop through a real Kafka and a worker, against a calm batch over the same file."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from schemas.insights import Kpi, PanelRow
from schemas.outputs import Credit, DeadLetter
from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.operations.folded_journal import hashes_of, verify_prefix
from streams.operations.prefix import Prefix
from tests.support.files import real_file
from tests.support.flows import a_reminder
from tests.support.retail import CURRENCY, DAY_MS, SEGMENTS, ZONE, batch_cuts, batch_segment, customer_hash
from tests.support.retail_kpis import assert_kpis_are_the_files
from tests.support.retail_run import first_weeks, replayed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.retail_run import Ran

# the replay of the whole file is part of the first test that asks for it
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

WEEK_MS = 7 * DAY_MS
WHOLE_LINES = 245_903
MODELS = {"linear", "last"}
SAMPLED_ROWS = 300


@pytest.fixture(scope="module")
def retail_file() -> Path:
    return real_file("online_retail/2010-12_2011-06.csv.gz")


@pytest.fixture(scope="module", params=["six weeks", pytest.param("whole file", marks=pytest.mark.slow)])
def ran(
    request: pytest.FixtureRequest,
    kafka: str,
    retail_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ran]:
    is_whole = request.param == "whole file"
    folder = tmp_path_factory.mktemp("online-retail")
    path = retail_file if is_whole else first_weeks(retail_file, folder / "six_weeks.csv")
    with replayed(kafka, path, folder, a_reminder(), is_whole=is_whole) as found:
        print(f"\n{found.summary}")  # noqa: T201
        yield found


def test_orders_spend_and_last_order_of_every_customer_are_those_of_the_batch(ran: Ran) -> None:
    shown = {
        who: (view.orders, view.monetary_minor, view.first_order_ms or 0, view.last_order_ms or 0)
        for who, view in ran.views.items()
    }
    assert shown == ran.batch.customers()
    assert sum(orders > 1 for orders, _, _, _ in shown.values()) > 100


def test_scores_and_segment_follow_from_the_cuts_that_the_profile_names(ran: Ran) -> None:
    shown = {who: (view.r, view.f, view.m, view.segment) for who, view in ran.views.items()}
    # by the end time has brought everyone across each cut, in whatever partition
    expected = {
        who: batch_segment(figures, ran.end_ms, ran.cuts.get(ran.views[who].cuts_version, {}))
        for who, figures in ran.batch.customers().items()
    }
    assert shown == expected


def test_eight_days_after_the_last_order_everyone_is_scored_by_recent_cuts(ran: Ran) -> None:
    named = Counter(view.cuts_version for view in ran.views.values() if view.orders)
    print(f"\nprofiles by the cuts that they name: {dict(named)}")  # noqa: T201
    # cuts of a tick reach a customer at their weekly slot, so those of the last two ticks are in use
    assert all(ran.cuts[version]["time_ms"] > ran.end_ms - 2 * WEEK_MS for version in named)


def test_all_eleven_segments_have_customers(ran: Ran) -> None:
    sizes = Counter(view.segment for view in ran.views.values())
    print(f"\n{sizes}")  # noqa: T201
    named = {segment for row in SEGMENTS.values() for segment in row}
    assert len(named) == 11
    if ran.is_whole:
        assert named <= sizes.keys()
    assert sizes.keys() <= named | {"none"}


def test_each_ticks_cuts_are_the_rule_over_the_panel_rows_of_the_week_before(ran: Ran) -> None:
    assert len(ran.ticks) >= ran.summary.ticks > 4
    has_cuts = False
    for tick in ran.ticks:
        rows = [row for row in ran.panel if tick.time_ms - WEEK_MS < row.slot_ms <= tick.time_ms]
        told = next(each for each in tick.models if each.kind == "cuts")
        if len(rows) < ran.place.domain.panel_rows_min:
            assert told.version is None
            assert f"{len(rows)} rows" in told.reason
            continue
        has_cuts = True
        monday = pd.Timestamp(tick.time_ms, unit="ms", tz="UTC").tz_convert(ZONE)
        assert (monday.day_name(), monday.hour) == ("Monday", 0)
        assert told.version == f"cuts-{monday.date()}"
        cuts = ran.cuts[told.version]
        # later is better, so the rule is over the time of the last order; an age is a time turned round
        last = batch_cuts([tick.time_ms - row.recency_ms for row in rows])
        assert holds([tick.time_ms - age for age in reversed(cuts["recency_ms"])], last)
        assert holds(cuts["frequency"], batch_cuts([row.orders for row in rows]))
        assert holds(cuts["monetary_minor"], batch_cuts([row.monetary_minor for row in rows]))
        assert (cuts["rows"], cuts["time_ms"]) == (len(rows), tick.time_ms)
    assert has_cuts


def holds(published: list[int], rule: tuple[int | None, ...]) -> bool:
    return all(rule_cut in {None, cut} for cut, rule_cut in zip(published, rule, strict=True))


def test_panel_rows_are_the_features_that_the_batch_finds_at_the_slot(ran: Ran, seed: int) -> None:
    by_hash = {customer_hash(f"u:{who}"): who for who in ran.views}
    for row in random.Random(seed).sample(ran.panel, SAMPLED_ROWS):
        who = by_hash[row.customer_hash]
        orders, minor, first_ms, last_ms = ran.batch.customers(row.slot_ms, who)[who]
        gap_ms = (last_ms - first_ms) // (orders - 1) if orders > 1 else 0
        expected = PanelRow(row.customer_hash, row.slot_ms, row.slot_ms - last_ms, orders, minor, gap_ms, 0.0)
        assert row == expected, who


def test_every_customer_has_a_panel_row_a_week(ran: Ran) -> None:
    slots: dict[int, list[int]] = defaultdict(list)
    for row in ran.panel:
        slots[row.customer_hash].append(row.slot_ms)
    for each in slots.values():
        each.sort()
        assert all((later - slot) % WEEK_MS == 0 < later - slot for slot, later in pairwise(each))
    missing = []
    for who, figures in ran.batch.customers().items():
        if figures.orders:
            own = slots[customer_hash(f"u:{who}")]
            # between the last order and the end no week is left out
            weeks = [slot for slot in own if slot > figures.last_ms]
            expected = (ran.end_ms - weeks[0]) // WEEK_MS + 1 if weeks else -1
            if len(weeks) != expected or weeks[0] > figures.last_ms + WEEK_MS:
                missing.append(who)
    assert missing == []


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_kpis_of_each_window_are_the_files(ran: Ran, grain: str) -> None:
    shown = assert_kpis_are_the_files(ran.place.records("kpis", Kpi), ran.batch, grain)
    if ran.is_whole:
        assert sum(shown["revenue_minor"].values()) == 482_646_649


def test_credits_sum_to_each_order_and_less_its_refunds_for_customers_and_guests(ran: Ran) -> None:
    first: Counter[tuple[str, str]] = Counter()
    standing: Counter[tuple[str, str]] = Counter()
    for credit in ran.place.records("credits", Credit):
        assert (credit.currency, credit.model in MODELS) == (CURRENCY, True)
        standing[credit.model, credit.order_id] += credit.amount_minor
        if credit.revision == 0 and credit.channel != "unattributed_refund":
            first[credit.model, credit.order_id] += credit.amount_minor
    orders, refunds = ran.batch.orders, ran.batch.refunds
    assert (orders["customer"] == "").any()
    is_alone = refunds["order_id"] == ""
    alone = refunds[is_alone].groupby("InvoiceNo")["minor"].sum()
    taken = refunds[~is_alone].groupby("order_id")["minor"].sum().reindex(orders.index, fill_value=0)
    left = (orders["total"] - taken).to_dict() | (-alone).to_dict()
    for model in MODELS:
        of_model = {order_id: total for (name, order_id), total in first.items() if name == model}
        assert of_model == orders["total"].to_dict()
        assert {order_id: total for (name, order_id), total in standing.items() if name == model} == left
        total = sum(amount for (name, _), amount in standing.items() if name == model)
        assert total == orders["total"].sum() - refunds["minor"].sum()


def test_every_line_and_every_touchpoint_is_accounted_for(ran: Ran) -> None:
    (accounting,) = ran.summary.files.values()
    in_file = sum(ran.batch.lines.values())
    assert accounting.lines == in_file
    assert {
        "orders": accounting.in_orders,
        "refunds": accounting.in_refunds,
        "unmatched": accounting.in_unmatched_refunds,
        "zero": accounting.refused["zero_total"],
    } == ran.batch.lines
    if ran.is_whole:
        assert in_file == WHOLE_LINES
    letters = Counter(letter.stage for letter in ran.place.records("dead_letters", DeadLetter))
    refused = [letter for letter in ran.place.records("dead_letters", DeadLetter) if letter.stage == "replay"]
    assert sum(letter.lines for letter in refused) == accounting.refused.total()

    came_in = len(ran.place.records("touchpoints", Touchpoint))
    assert came_in == ran.summary.touchpoints == len(ran.batch.orders) + len(ran.batch.refunds)
    assert came_in == ran.journalled + letters["collect"]
    open_forwards = ran.counts["forwards_sent"] - ran.counts["forwards_received"]
    assert open_forwards == 0
    assert ran.journalled == ran.counts["folded"] + ran.counts["duplicates"] + letters["fold"] + open_forwards
    assert ran.counts["fold_dead_letters"] == letters["fold"]
    print(f"\n{in_file} lines, {came_in} touchpoints, {ran.counts['folded']} folded, dead letters {dict(letters)}")  # noqa: T201


def test_verify_finds_no_difference_and_two_folds_of_the_journal_are_alike(ran: Ran) -> None:
    prefix = Prefix(ran.place.settings, ran.place.domain, SINGLE_OBJECT)
    found = verify_prefix(prefix)
    assert found.differences == ()
    assert found.holds
    assert found.held == found.folded
    again = hashes_of(prefix)
    for topic, digest in again.items():
        print(f"\n{topic:12} {found.records[topic]:8} {digest}", end="")  # noqa: T201
    assert again == found.folded
    assert found.records["segments"] > len(ran.views)
    assert found.records["credits"] > len(ran.batch.orders)
