"""The result of a backtest, for people and machines: figures, and one HTML page."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from importlib.resources import files
from itertools import combinations
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import jinja2
import msgspec

from schemas.units import iso_time
from streams.flows.language.durations import duration_text

if TYPE_CHECKING:
    from streams.offline.sendings import Sendings
    from streams.offline.trial import Folded

NOTES = (
    "These messages were never sent, so no customer could react to them. Customers reacted to the messages sent then.",
    "A goal counts if its event came within the flow's window after a message. It might have come without it.",
)
_REASONS_MAX = 20
_CUSTOMERS_MAX = 10
_TEMPLATE = "backtest.html.j2"


class Reason(msgspec.Struct, frozen=True):
    """A reason for an outcome, and how many decisions had it."""

    outcome: str
    reason: str
    decisions: int


class FlowFigures(msgspec.Struct, frozen=True):
    """One flow in the period."""

    flow_id: str
    version: int | None
    """None: it is not one of the flows to try."""
    sends: int
    published_sends: int | None
    """Messages of the published flow with this id; None: not compared."""
    customers: int
    """Customers that it reached."""
    goal: str
    goal_window: str
    goals: int
    """Messages followed by the goal's event within its window."""
    days: dict[str, int]
    """Messages by day of the reporting zone, ISO 8601."""
    outcomes: dict[str, int]
    """Decisions by outcome."""
    reasons: tuple[Reason, ...]
    """Most frequent first."""


class Overlap(msgspec.Struct, frozen=True):
    """Customers who got messages from both flows."""

    flow_id: str
    other_flow_id: str
    customers: int


class CustomerChange(msgspec.Struct, frozen=True):
    """Messages to one customer, beside those of the published flows."""

    customer: str
    sends: int
    published_sends: int


class Changes(msgspec.Struct, frozen=True):
    """The flows to try, compared with the published ones."""

    customers_gained: int
    """Customers reached now, but not by the published flows."""
    customers_lost: int
    customers_more: int
    """Customers reached by both, with more messages now."""
    customers_fewer: int
    most: tuple[CustomerChange, ...]
    """Greatest differences first."""


class Report(msgspec.Struct, frozen=True):
    """The whole report; times are ISO 8601 in UTC."""

    begin: str
    end: str
    zone: str
    records: int
    """Records of the journal that were folded."""
    sends: int
    customers: int
    """Customers reached by any flow."""
    flows: tuple[FlowFigures, ...]
    """Flows with the greatest change, or else the most messages, first."""
    overlap: tuple[Overlap, ...]
    fatigue: dict[int, int]
    """Customers by number of messages."""
    changes: Changes | None
    failures: int
    """Records and timers for which the code failed."""
    notes: tuple[str, ...] = NOTES

    @property
    def days(self) -> dict[str, int]:
        """Return messages by day, without days that have none."""
        return dict(sorted(sum((Counter(flow.days) for flow in self.flows), Counter[str]()).items()))


def report(folded: Folded, tried: Sendings, published: Sendings | None = None) -> Report:
    """Return the figures of a backtest."""
    before = None if published is None else _sends_of(published)
    sends = _sends_of(tried)
    ids = sorted({*tried.flows, *sends, *(before or {})})
    figures = [_figures(flow_id, tried, sends, before) for flow_id in ids]
    return Report(
        begin=iso_time(folded.begin_ms),
        end=iso_time(folded.end_ms),
        zone=tried.zone,
        records=folded.records,
        sends=sends.total(),
        customers=len(tried.of_customers),
        flows=tuple(sorted(figures, key=lambda flow: (-abs(flow.sends - (flow.published_sends or 0)), flow.flow_id))),
        overlap=_overlap(tried),
        fatigue=dict(sorted(Counter(map(len, tried.of_customers.values())).items())),
        changes=None if published is None else _changes(tried, published),
        failures=len(tried.failures),
    )


def _sends_of(sendings: Sendings) -> Counter[str]:
    return Counter(each.flow_id for own in sendings.of_customers.values() for each in own)


def _figures(flow_id: str, tried: Sendings, sends: Counter[str], before: Counter[str] | None) -> FlowFigures:
    flow = tried.flows.get(flow_id)
    own = [[each for each in all_ if each.flow_id == flow_id] for all_ in tried.of_customers.values()]
    zone = ZoneInfo(tried.zone)
    days = Counter(
        datetime.fromtimestamp(each.time_ms / 1000, zone).date().isoformat() for sent in own for each in sent
    )
    reasons = Counter(
        {(outcome, reason): count for (of, outcome, reason), count in tried.reasons.items() if of == flow_id}
    )
    return FlowFigures(
        flow_id=flow_id,
        version=None if flow is None else flow.version,
        sends=sends[flow_id],
        published_sends=None if before is None else before[flow_id],
        customers=sum(bool(sent) for sent in own),
        goal="" if flow is None else flow.goal.event,
        goal_window="" if flow is None else duration_text(flow.goal.window_ms),
        goals=sum(bool(each.goal_ms) for sent in own for each in sent),
        days=dict(sorted(days.items())),
        outcomes=dict(sorted((outcome, count) for (of, outcome), count in tried.outcomes.items() if of == flow_id)),
        reasons=tuple(Reason(*key, count) for key, count in reasons.most_common(_REASONS_MAX)),
    )


def _overlap(tried: Sendings) -> tuple[Overlap, ...]:
    pairs: Counter[tuple[str, str]] = Counter()
    for own in tried.of_customers.values():
        pairs.update(combinations(sorted({each.flow_id for each in own}), 2))
    return tuple(Overlap(*pair, customers) for pair, customers in pairs.most_common())


def _changes(tried: Sendings, published: Sendings) -> Changes:
    counts = [
        CustomerChange(who, len(tried.of_customers.get(who, ())), len(published.of_customers.get(who, ())))
        for who in tried.of_customers.keys() | published.of_customers.keys()
    ]
    changed = [each for each in counts if each.sends != each.published_sends]
    changed.sort(key=lambda each: (-abs(each.sends - each.published_sends), each.customer))
    return Changes(
        customers_gained=sum(not each.published_sends for each in changed),
        customers_lost=sum(not each.sends for each in changed),
        customers_more=sum(each.sends > each.published_sends > 0 for each in changed),
        customers_fewer=sum(each.published_sends > each.sends > 0 for each in changed),
        most=tuple(changed[:_CUSTOMERS_MAX]),
    )


def html_page(found: Report) -> str:
    """Return the report as one self-contained page."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["count"] = lambda value: f"{value:,}"
    text = (files("streams.offline") / _TEMPLATE).read_text("utf-8")
    return environment.from_string(text).render(report=found)
