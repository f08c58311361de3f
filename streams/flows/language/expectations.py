"""How many messages a flow is expected to send a day, from a backtest's figures."""

from __future__ import annotations

from datetime import timedelta
from statistics import mean, stdev
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ValidationError

from streams.settings import Expected

if TYPE_CHECKING:
    from pathlib import Path

    from streams.flows.language.flow import Flow

DAYS_MIN = 7
"""Days needed; a week has days of every kind."""


class NoExpectation(ValueError):
    """A file gives no expectation for a flow; the message names the file and what is needed."""


class Tried(BaseModel):
    """The figures of one flow."""

    flow_id: str
    version: int | None
    days: dict[str, int]
    """Messages by day, without days that have none."""


class Figures(BaseModel):
    """The part of the file of `touchstream backtest --json` that is used here."""

    begin: AwareDatetime
    end: AwareDatetime
    zone: str
    flows: tuple[Tried, ...]


def expected_of(flow: Flow, file: Path) -> Expected:
    """Return mean and standard deviation of a flow's messages a day, over whole days of a backtest of this version.

    Raises:
        NoExpectation: the file cannot be read, or does not have this flow or enough days.
    """
    try:
        figures = Figures.model_validate_json(file.read_bytes())
    except OSError as error:
        raise NoExpectation(f"{file}: {error.strerror}; use a file of `touchstream backtest --json`") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NoExpectation(f"{file}: {place}: {first['msg']}; use a file of `touchstream backtest --json`") from None
    found = next((tried for tried in figures.flows if (tried.flow_id, tried.version) == (flow.id, flow.version)), None)
    if found is None:
        tried = ", ".join(f"{each.flow_id} v{each.version}" for each in figures.flows)
        raise NoExpectation(f"{file}: the backtest did not try {flow.id} v{flow.version}, but {tried or 'no flow'}")
    zone = ZoneInfo(figures.zone)
    first_day = figures.begin.astimezone(zone).date() + timedelta(days=1)
    count = (figures.end.astimezone(zone).date() - first_day).days
    if count < DAYS_MIN:
        raise NoExpectation(f"{file}: it covers {max(count, 0)} whole days, but at least {DAYS_MIN} are needed")
    days = [found.days.get((first_day + timedelta(days=number)).isoformat(), 0) for number in range(count)]
    return Expected(per_day=mean(days), deviation=stdev(days))
