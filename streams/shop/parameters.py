"""Parameters of a simulated shop; the same parameters make the same touchpoints."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.units import HOUR_MS

# shares of orders_per_hour by hour of the day and by day of the week, from Monday
HOUR_SHARES = (
    0.10,
    0.06,
    0.05,
    0.05,
    0.06,
    0.10,
    0.25,
    0.50,
    0.75,
    0.90,
    1.00,
    1.00,
    1.00,
    1.00,
    1.00,
    1.00,
    1.00,
    1.00,
    1.00,
    1.05,
    1.10,
    0.90,
    0.60,
    0.30,
)
WEEKDAY_SHARES = (1.05, 1.00, 0.97, 1.00, 0.95, 0.92, 1.08)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        message = f"{name!r} is not an IANA time zone; use a name such as Europe/Berlin or UTC"
        raise ValueError(message)
    return name


class Outage(BaseModel):
    """Hours in which only a `share` of the orders is recorded, because the tracking is broken; days count from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: int = Field(ge=0)
    hour: int = Field(ge=0, le=23)
    hours: int = Field(ge=1, le=48)
    share: float = Field(default=0.1, ge=0, le=1)


class ShopParameters(BaseModel):
    """Parameters; `orders_per_hour` is the mean of a daytime hour, shares are from 0 to 1, times are of `time_zone`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 7
    start: date = date(2025, 9, 1)
    days: int = Field(default=21, ge=1, le=1000)
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Berlin"
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    orders_per_hour: float = Field(default=70.0, gt=0, le=100_000)
    customers: int = Field(default=6000, ge=1, le=10_000_000)
    new_customer_share: float = Field(default=0.3, ge=0, le=1)
    visits_per_order: float = Field(default=1.0, ge=0, le=100)
    cart_share: float = Field(default=0.4, ge=0, le=1)
    refund_share: float = Field(default=0.04, ge=0, le=1)
    duplicate_share: float = Field(default=0.002, ge=0, le=0.5)
    shared_device_share: float = Field(default=0.01, ge=0, le=1)
    skus: int = Field(default=200, ge=1, le=100_000)
    outages: tuple[Outage, ...] = (Outage(day=17, hour=13, hours=4, share=0.1),)

    @model_validator(mode="after")
    def _outages_inside(self) -> ShopParameters:
        late = [outage for outage in self.outages if outage.day >= self.days]
        if late:
            message = f"an outage begins on day {late[0].day}, but the shop has only days 0 to {self.days - 1}"
            raise ValueError(message)
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def start_ms(self) -> int:
        return self._midnight_ms(0)

    @property
    def end_ms(self) -> int:
        return self._midnight_ms(self.days)

    @property
    def outages_ms(self) -> list[tuple[int, int, float]]:
        """Return (first instant, first one after, share recorded) of each outage."""
        begins = [self._midnight_ms(outage.day) + outage.hour * HOUR_MS for outage in self.outages]
        return [
            (begin, begin + outage.hours * HOUR_MS, outage.share)
            for begin, outage in zip(begins, self.outages, strict=True)
        ]

    def recorded_share(self, time_ms: int) -> float:
        """Return the share of orders that the shop's tracking records at that time."""
        return min((share for begin, end, share in self.outages_ms if begin <= time_ms < end), default=1.0)

    def busyness(self, time_ms: int) -> float:
        """Return the shop's activity at that time; 1 is a daytime hour."""
        local = datetime.fromtimestamp(time_ms / 1000, self.zone)
        return HOUR_SHARES[local.hour] * WEEKDAY_SHARES[local.weekday()]

    def _midnight_ms(self, day: int) -> int:
        then = self.start + timedelta(days=day)
        return int(datetime(then.year, then.month, then.day, tzinfo=self.zone).timestamp()) * 1000
