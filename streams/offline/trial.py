"""What a backtest tries: flows, and the past in which it tries them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.flows.language.flow_set import ALL_FLOWS
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from schemas.wire import Wire
    from streams.offline.checkpoints import Checkpoints
    from streams.offline.journal import Journal


class Folded(NamedTuple):
    """The part of the journal that a backtest folded."""

    records: int
    begin_ms: int
    """The first time of a record in the trial; 0: there was none."""
    end_ms: int
    """The last time, at most the trial's end."""


class Trial(NamedTuple):
    """Flows to try, as if they had been published at a time in the past."""

    flows: tuple[Mapping[str, JsonValue], ...]
    from_ms: int
    to_ms: int
    """The journal is folded until everything before this time has happened."""
    is_alone: bool = False
    """Without the published flows of other ids, which otherwise run beside them."""

    def settings(self, published: str) -> str:
        """Return published settings with the flows to try."""
        domain = parse_domain(published)
        tried = {flow["id"] for flow in self.flows}
        others = () if self.is_alone else tuple(flow for flow in domain.flows if flow["id"] not in tried)
        # other flows keep their state; a flow to try is live for everybody, also where all are paused
        not_kept = {*tried, ALL_FLOWS}
        kept = {} if self.is_alone else domain.flow_states
        states = {name: each for name, each in kept.items() if name not in not_kept}
        return domain.model_copy(update={"flows": (*others, *self.flows), "flow_states": states}).model_dump_json()


class Past(NamedTuple):
    """What there is to fold: a journal, how its records are read, and checkpoints to begin at."""

    journal: Journal
    wire: Wire
    checkpoints: Checkpoints | None = None
