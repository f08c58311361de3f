"""How often a flow is expected to write: what a backtest's figures say of a day."""

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
"""A week has days of every kind."""


class NoExpectation(ValueError):
    """A file from which nothing follows for a flow; the message names it, and what is allowed."""


class Tried(BaseModel):
    """One flow in the figures."""

    flow_id: str
    version: int | None
    days: dict[str, int]
    """Messages by day, of days with any."""


class Figures(BaseModel):
    """The part that is used here of what `touchstream backtest --json` writes."""

    begin: AwareDatetime
    end: AwareDatetime
    zone: str
    flows: tuple[Tried, ...]


def expected_of(flow: Flow, file: Path) -> Expected:
    """Mean and standard deviation of a flow's messages a day, over the whole days of a backtest of this version.

    Raises:
        NoExpectation: the file cannot be read, has not this flow, or not enough days.
    """
    try:
        figures = Figures.model_validate_json(file.read_bytes())
    except OSError as error:
        raise NoExpectation(f"{file}: {error.strerror}; allowed is what `touchstream backtest --json` writes") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NoExpectation(
            f"{file}: {place}: {first['msg']}; allowed is what `touchstream backtest --json` writes"
        ) from None
    found = next((tried for tried in figures.flows if (tried.flow_id, tried.version) == (flow.id, flow.version)), None)
    if found is None:
        tried = ", ".join(f"{each.flow_id} v{each.version}" for each in figures.flows)
        raise NoExpectation(f"{file}: {flow.id} v{flow.version} was not tried; tried were {tried or 'none'}")
    zone = ZoneInfo(figures.zone)
    first_day = figures.begin.astimezone(zone).date() + timedelta(days=1)
    count = (figures.end.astimezone(zone).date() - first_day).days
    if count < DAYS_MIN:
        raise NoExpectation(f"{file}: it goes over {max(count, 0)} whole days; allowed are {DAYS_MIN} and more")
    days = [found.days.get((first_day + timedelta(days=number)).isoformat(), 0) for number in range(count)]
    return Expected(per_day=mean(days), deviation=stdev(days))
