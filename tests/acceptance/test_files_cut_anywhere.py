"""Where files begin and end decides nothing: the account and the profiles are those of one file."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.outputs import DeadLetter
from schemas.touchpoint import Product, Spend
from streams.replay.files import rows
from streams.replay.files.container import write_container
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import lines_in, open_files
from tests.support.cut_files import begins, column, cut_lines, cut_rows, fold, inside, journey, lines_of, read, spoilt
from tests.support.files import real_file
from tests.support.outcomes import read_outcome
from tests.support.retail import CURRENCY, ZONE, read_batch
from tests.support.running import Place, a_worker, make_place, play, wait_worked_off
from tests.support.world import a_touchpoint, an_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from schemas.touchpoint import Touchpoint
    from tests.support.cut_files import Profiles, Read

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1_800)]

RETAIL, JOURNEY = load_mapping("online_retail"), load_mapping("completejourney")
BRITISH: dict[str, Any] = {"reporting_time_zone": ZONE, "reporting_currency": CURRENCY}
AMERICAN: dict[str, Any] = {"reporting_time_zone": "America/New_York", "reporting_currency": "USD"}
NEW_YORK = ZoneInfo("America/New_York")
WHOLE_YEAR = 53
PART = 4_000
CUTS = 12


@pytest.fixture(scope="module")
def retail() -> list[bytes]:
    """The header and all lines of online retail."""
    return lines_of(real_file("online_retail/2010-12_2011-06.csv.gz"))


@pytest.mark.parametrize("end", ["2011-01-01", pytest.param("2012", marks=pytest.mark.slow)], ids=["a month", "all"])
def test_online_retail_in_one_file_in_three_and_by_day_is_the_same(
    retail: list[bytes], tmp_path: Path, end: str
) -> None:
    lines = between(retail, "2010", end)
    invoices, days = column(lines, "InvoiceNo"), days_of(lines)
    thirds = [inside(invoices, len(lines) * part // 3) for part in (1, 2)]

    def cut(name: str, places: list[int]) -> tuple[Read, Profiles]:
        return folded(read(cut_lines(lines, places, tmp_path / name), RETAIL), BRITISH)

    found, profiles = the_same(cut, thirds, begins(days)[1:])
    batch = read_batch(tmp_path / "one" / "from_0000001.csv")
    assert in_account(msgspec.to_builtins(found)) == batch.lines
    assert found.touchpoints["order_completed"] == profiles.counts["orders"] == len(batch.orders)
    assert profiles.counts["revenue_minor"] == batch.orders["total"].sum()
    assert profiles.counts["refunds_minor"] == batch.refunds["minor"].sum()


@pytest.mark.parametrize("weeks", [2, pytest.param(WHOLE_YEAR, marks=pytest.mark.slow)], ids=["two weeks", "all"])
def test_the_complete_journey_in_one_file_in_three_and_by_day_is_the_same(tmp_path: Path, weeks: int) -> None:
    table = journey(weeks)
    baskets = table["basket_id"].to_pylist()
    days = [time.date() for time in table["transaction_timestamp"].to_pylist()]
    thirds = [inside(baskets, table.num_rows * part // 3) for part in (1, 2)]

    def cut(name: str, places: list[int]) -> tuple[Read, Profiles]:
        return folded(read(cut_rows(table, places, tmp_path / name), JOURNEY), AMERICAN)

    found, profiles = the_same(cut, thirds, begins(days))
    minor = (table["sales_value"].to_pandas() * 100).round().astype("int64").groupby(baskets).agg(["sum", "size"])
    bought = minor[minor["sum"] > 0]
    assert (found.in_orders, found.lines) == (bought["size"].sum(), table.num_rows)
    assert found.touchpoints["order_completed"] == profiles.counts["orders"] == len(bought)
    assert profiles.counts["revenue_minor"] == bought["sum"].sum()


def the_same(cut: Callable[[str, list[int]], tuple[Read, Profiles]], thirds: list[int], days: list[int]) -> Any:
    """The account and the profiles of one file, which are those of three, cut inside orders, and of those by day."""
    one, three, by_day = cut("one", []), cut("three", thirds), cut("days", days)
    assert (len(one[0].files), len(three[0].files), len(by_day[0].files)) == (1, 3, len(days) + 1)
    for found, profiles in (three, by_day):
        assert found.whole == one[0].whole
        assert profiles == one[1]
    assert len(one[1].stored) > 100
    print(f"\n{one[0].whole}")  # noqa: T201
    return one[0].whole, one[1]


def test_the_night_of_the_complete_journey_is_at_the_same_hour_in_winter_and_in_summer(tmp_path: Path) -> None:
    path = tmp_path / "a_line_of_each.parquet"
    journey(WHOLE_YEAR).to_pandas().drop_duplicates("basket_id").to_parquet(path)
    hours: Counter[tuple[str, int]] = Counter()
    for order in read([path], JOURNEY).touchpoints:
        local = datetime.fromtimestamp(order.time_ms / 1000, NEW_YORK)
        hours["winter" if local.utcoffset() == timedelta(hours=-5) else "summer", local.hour] += 1
    for season in ("winter", "summer"):
        by_hour = [hours[season, hour] for hour in range(24)]
        print(season, by_hour)  # noqa: T201
        assert by_hour.index(min(by_hour)) == 4
        assert by_hour.index(max(by_hour)) == 17


def test_lines_cut_anywhere_give_the_same_touchpoints_and_all_of_them_are_taken(
    retail: list[bytes], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    first = chance.randrange(1, len(retail) - PART)
    lines = list(spoilt([retail[0], *retail[first : first + PART]], chance))
    invoices = column(lines, "InvoiceNo")
    one = read(cut_lines(lines, [], tmp_path / "one"), RETAIL)
    assert one.whole.lines == len(lines) - 1
    assert len(one.whole.refused) > 3
    assert fold(one.touchpoints, **BRITISH).counts["orders"] == one.whole.touchpoints["order_completed"]
    for number in range(CUTS):
        places = [chance.randrange(2, len(lines)) for _ in range(chance.randrange(1, 9))]
        places.append(inside(invoices, chance.randrange(2, len(lines) // 2)))
        paths = cut_lines(lines, places, tmp_path / str(number))
        cut = read(paths, RETAIL)
        assert cut.touchpoints == one.touchpoints
        assert cut.whole == one.whole
        assert {path.name: lines_in(path) for path in paths} == {name: of.lines for name, of in cut.files.items()}


def test_rows_cut_anywhere_and_read_in_batches_of_any_size_give_the_same_touchpoints(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    table = journey(2).slice(0, PART)
    one = read(cut_rows(table, [], tmp_path / "one"), JOURNEY)
    assert one.whole.in_orders > PART // 2
    for number in range(CUTS):
        monkeypatch.setattr(rows, "_BATCH_ROWS", chance.randrange(1, 500))
        places = [chance.randrange(1, table.num_rows) for _ in range(chance.randrange(1, 9))]
        cut = read(cut_rows(table, places, tmp_path / str(number)), JOURNEY)
        assert cut.touchpoints == one.touchpoints
        assert cut.whole == one.whole


def test_a_week_by_day_through_a_worker_is_in_orders_as_the_replay_says(
    kafka: str, prefix: str, tmp_path: Path, retail: list[bytes]
) -> None:
    place = make_place(kafka, prefix, tmp_path, **BRITISH)
    week, later = between(retail, "2010", "2010-12-09"), between(retail, "2011-01-10", "2011-01-12")
    paths = cut_lines(week, begins(days_of(week))[1:], tmp_path / "days")
    batch = read_batch(*cut_lines(week, [], tmp_path / "one"))
    with a_worker(place):
        files = json.loads(replayed(place, *map(str, paths), "--json"))["files"]
        wait_worked_off(place)
        outcome = read_outcome(place)
        said = replayed(place, *map(str, cut_lines(later, [len(later) // 2], tmp_path / "later")))
    assert list(files) == [path.name for path in paths]
    assert len(files) == 7
    whole: Counter[str] = Counter()
    for path in paths:
        account = in_account(files[path.name])
        assert sum(account.values()) == lines_in(path)
        whole.update(account)
    assert whole == batch.lines
    assert outcome.total("orders") == len(batch.orders)
    assert outcome.total("revenue_minor") == batch.orders["total"].sum()
    assert outcome.total("refunds_minor") == batch.refunds["minor"].sum()
    assert {stage for stage, _ in outcome.letters} == {"replay"}
    assert f"all files {len(later) - 1} " in said
    assert "Its orders are not known to this one: refunds of them are unmatched" in said


def test_what_a_replay_says_of_hostile_files_is_what_a_worker_does_with_them(
    kafka: str, prefix: str, tmp_path: Path, retail: list[bytes], seed: int
) -> None:
    place = make_place(kafka, prefix, tmp_path, **BRITISH)
    lines = list(spoilt(between(retail, "2010", "2010-12-02"), random.Random(seed)))
    tables = cut_lines(lines, [len(lines) // 2], tmp_path / "tables")
    container = tmp_path / "touchpoints.avro"
    write_container(container, hostile(int(datetime(2010, 12, 2, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000))
    with a_worker(place):
        summary = play(place, open_files([*tables, container], RETAIL))
        outcome = read_outcome(place)
        letters = place.records("dead_letters", DeadLetter)
    assert outcome.total("orders") == summary.whole.touchpoints["order_completed"]
    assert outcome.touchpoints == outcome.journalled == summary.touchpoints == summary.whole.touchpoints.total()
    assert {letter.stage for letter in letters} == {"replay"}
    refused: Counter[str] = Counter()
    for letter in letters:
        refused[letter.reason] += letter.lines
    assert refused == summary.whole.refused
    of_container = [
        (letter.source_offset, letter.reason) for letter in letters if letter.source_topic == container.name
    ]
    assert of_container == [
        (1, "time_out_of_range"),
        (3, "no_customer"),
        (4, "too_many"),
        (5, "too_long"),
        (6, "bad_currency"),
        (7, "amount_out_of_range"),
        (8, "too_large"),
    ]
    assert summary.files[container.name].lines == 9


def hostile(at_ms: int) -> list[Touchpoint]:
    """Touchpoints of a container; the second and the last are good."""
    lines = (Product("mug", 900, 1),)
    return [
        an_order(1),
        an_order(at_ms, products=lines, properties={f"name-{number}": "" for number in range(100)}),
        a_touchpoint("page_viewed", at_ms, None),
        an_order(at_ms, products=lines * 10_001),
        an_order(at_ms, order_id="x" * 513),
        a_touchpoint("spend_recorded", at_ms, None, channel="ads", spend=Spend("euro", 5)),
        an_order(at_ms, total_minor=-1),
        an_order(at_ms, products=(Product("mug", 900, 1, "x" * 512),) * 2_000),
        an_order(at_ms, products=lines * 300, email_hash="a@b.example"),
    ]


def replayed(place: Place, *arguments: str) -> str:
    """What the command says, in one line."""
    where = ["--brokers", place.settings.brokers, "--prefix", place.settings.prefix, "--mapping", "online_retail"]
    command = [sys.executable, "-m", "streams", "replay", *where, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def in_account(account: dict[str, Any]) -> dict[str, int]:
    """Lines by the names of the batch."""
    return {
        "orders": account["in_orders"],
        "refunds": account["in_refunds"],
        "unmatched": account["in_unmatched_refunds"],
        "zero": sum(account["refused"].values()),
    }


def folded(found: Read, settings: dict[str, Any]) -> tuple[Read, Profiles]:
    return found, fold(found.touchpoints, **settings)


def days_of(lines: list[bytes]) -> list[str]:
    return [text[:10] for text in column(lines, "InvoiceDate")]


def between(lines: list[bytes], first: str, end: str) -> list[bytes]:
    """The header, and the lines of the days from one on and before another."""
    return [lines[0], *(line for line, day in zip(lines[1:], days_of(lines)[1:], strict=True) if first <= day < end)]
