"""Backtest = live: what flows would have sent, foretold from a journal, is what a worker then sends with them."""

from __future__ import annotations

import gzip
import math
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import pytest

from schemas.outputs import Decision, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.flows.language.files import library_documents
from streams.offline.journal_file import JournalFile
from streams.operations.folded_journal import PrefixJournal, export_journal
from streams.operations.prefix import Prefix
from streams.replay.files.container import write_container
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import open_source
from streams.shop.generator import Shop, ShopParameters
from tests.support.files import real_file
from tests.support.flows import TEN
from tests.support.foretold import emitted, foretold, of_kind
from tests.support.running import Place, a_worker, make_place, play

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

OTHER_FLOWS = library_documents("abandoned_cart", "post_purchase")


class Stretch(NamedTuple):
    """Real data, or their first lines."""

    file: str
    mapping: str
    zone: str
    currency: str
    lines: float


RETAIL = Stretch("online_retail/2010-12_2011-06.csv.gz", "online_retail", "Europe/London", "GBP", math.inf)
REES46 = Stretch("rees46/2019-10-01_first_hours.csv.gz", "rees46", "UTC", "USD", math.inf)
STRETCHES = [
    pytest.param(RETAIL._replace(lines=25_000), id="online-retail-first-weeks", marks=pytest.mark.heavy),
    pytest.param(REES46._replace(lines=8_000), id="rees46-first-hour"),
    pytest.param(None, id="made-shop", marks=pytest.mark.heavy),
    pytest.param(RETAIL, id="online-retail", marks=pytest.mark.slow),
    pytest.param(REES46, id="rees46", marks=pytest.mark.slow),
]


class Lived(NamedTuple):
    """The same data through two prefixes, each with flows of its own."""

    place: Place
    other: Place


@pytest.fixture(scope="module", params=STRETCHES)
def lived(request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("backtest")
    stretch: Stretch | None = request.param
    if stretch is None:
        path, mapping = folder / "shop.avro", None
        shop = ShopParameters(seed=5, days=6, orders_per_hour=5, customers=150, outages=())
        write_container(path, Shop(shop).touchpoints())
        domain = {"reporting_time_zone": "Europe/Berlin", "reporting_currency": "EUR", "panel_rows_min": 20}
    else:
        path, mapping = first_lines(stretch, folder), load_mapping(stretch.mapping)
        domain = {"reporting_time_zone": stretch.zone, "reporting_currency": stretch.currency}
    places = []
    for name, flows in (("all", TEN), ("other", OTHER_FLOWS)):
        place = make_place(kafka, f"{folder.name}-{name}", folder / name, flows=flows, **domain)
        with a_worker(place):
            play(place, open_source(path, mapping))
        places.append(place)
    return Lived(*places)


def first_lines(stretch: Stretch, folder: Path) -> Path:
    whole = real_file(stretch.file)
    if stretch.lines == math.inf:
        return whole
    path = folder / "first_lines.csv"
    with gzip.open(whole, "rb") as lines:
        path.write_bytes(b"".join(islice(lines, int(stretch.lines))))
    return path


def prefix_of(place: Place) -> Prefix:
    return Prefix(place.settings, place.domain, SINGLE_OBJECT)


def test_triggers_and_receipts_foretold_are_those_that_the_worker_emits_customer_by_customer(lived: Lived) -> None:
    said = foretold(PrefixJournal(prefix_of(lived.place)), TEN)
    assert of_kind(said, Trigger) == emitted(lived.place, Trigger)
    assert of_kind(said, Decision) == emitted(lived.place, Decision)
    assert sum(map(len, of_kind(said, Trigger).values())) > 50


def test_the_journal_of_a_run_with_other_flows_foretells_the_same(lived: Lived) -> None:
    said = foretold(PrefixJournal(prefix_of(lived.other)), TEN)
    assert of_kind(said, Trigger) == emitted(lived.place, Trigger)
    assert of_kind(said, Decision) == emitted(lived.place, Decision)


def test_the_journal_in_a_file_foretells_as_on_the_broker(lived: Lived, tmp_path: Path) -> None:
    path = tmp_path / "journal.avro"
    assert export_journal(prefix_of(lived.place), path) > 0
    said = foretold(JournalFile(path), OTHER_FLOWS)
    assert of_kind(said, Trigger) == emitted(lived.other, Trigger)
    assert of_kind(said, Decision) == emitted(lived.other, Decision)
