"""A shop's real past through the fold and insights in memory, with weekly ticks, and whom its flows then write to."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.insights import Facts
from schemas.journal import RULES, Configured
from schemas.outputs import Decision, Revocation, Trigger
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.fold import configured as insights_configured
from streams.insights.fold import fold_facts
from streams.insights.state import InsightCodec
from streams.processors.insighting import GOING_ON
from streams.settings import DomainSettings
from tests.support.contents import SUBJECTS, carried
from tests.support.memory_worker import MemoryWorker, configured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from schemas.touchpoint import Touchpoint
    from streams.profiles.profile import Profile

ORDERED = "order_completed"
TAKEN_BACK = ("order_refunded", "order_cancelled")


class Message(NamedTuple):
    """A message that went out, and how long the customer had not ordered then; None: they never had."""

    trigger: Trigger
    days: float | None


class _Orders:
    """Orders and what was taken back of them, from the touchpoints alone."""

    def __init__(self, events: Iterable[Touchpoint]) -> None:
        self._orders: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
        self._taken: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for event in events:
            if event.order is None or event.user_id is None:
                continue
            if event.type == ORDERED:
                order = event.order
                self._orders[f"u:{event.user_id}"].append((event.time_ms, order.order_id, order.total_minor))
            elif event.type in TAKEN_BACK:
                self._taken[event.order.order_id].append((event.time_ms, event.order.total_minor))

    def last_ms(self, customer: str, until_ms: int) -> int | None:
        """The last order until then of which something is left."""
        for time_ms, order_id, total_minor in reversed(self._orders[customer]):
            taken = sum(minor for at_ms, minor in self._taken[order_id] if at_ms <= until_ms)
            if time_ms <= until_ms and taken < total_minor:
                return time_ms
        return None


class LivedShop:
    """One journal partition and insights, from an empty prefix on; each week's models come back to the journal."""

    def __init__(self, flows: Sequence[dict[str, Any]], **settings: Any) -> None:
        given = {
            "clock": "marks",
            "consent_default": "granted",
            "touchpoint_partitions": 1,
            "journal_partitions": 1,
            "flows": flows,
            **settings,
        }
        domain = DomainSettings.model_validate(given)
        self.worker = MemoryWorker(configured(**given))
        self._insights: Overlay[Any] = Overlay(MemoryStore(), InsightCodec())
        insights_configured(self._insights, Configured(domain.model_dump_json(), 0, RULES))
        self._read = self.now_ms = 0
        self._events: list[Touchpoint] = []

    def live(self, events: Iterable[Touchpoint]) -> LivedShop:
        """Takes in touchpoints in order of time."""
        for event in events:
            self.pass_time(event.time_ms)
            self._events.append(event)
            self.worker.send(event)
        return self

    def pass_time(self, until_ms: int) -> None:
        """Time passes hour by hour, so that each tick comes at its Monday."""
        hour_ms = until_ms - until_ms % HOUR_MS
        for time_ms in range((self.now_ms or hour_ms - HOUR_MS) + HOUR_MS, hour_ms + 1, HOUR_MS):
            self.worker.pass_time(time_ms)
            while self._take_in():
                self.worker.commit()
            self.now_ms = time_ms

    def _take_in(self) -> bool:
        """Folds the facts that are new into insights, and puts what they broadcast into the journal."""
        outputs, self._read = self.worker.outputs[self._read :], len(self.worker.outputs)
        said = False
        for output in outputs:
            record = SINGLE_OBJECT.decode(output.value) if output.topic.endswith(".facts") and output.value else None
            while isinstance(record, Facts):
                effects = fold_facts(self._insights, record)
                for each in effects.broadcast:
                    self.worker.append(None, each)
                    said = True
                record = GOING_ON if effects.is_behind else None
        return said

    def records(self, kind: type[Any]) -> Iterator[Any]:
        for output in self.worker.outputs:
            if output.value is not None and SINGLE_OBJECT.is_a(kind, output.value):
                yield SINGLE_OBJECT.decode(output.value)

    def messages(self) -> dict[str, list[Message]]:
        """Messages that nothing took back, by flow."""
        taken_back = {each.trigger_id for each in self.records(Revocation)}
        orders = _Orders(self._events)
        found: dict[str, list[Message]] = defaultdict(list)
        for trigger in self.records(Trigger):
            if trigger.trigger_id not in taken_back:
                sent_ms = max(trigger.decided_ms, trigger.due_ms)
                last_ms = orders.last_ms(trigger.customer, sent_ms)
                days = None if last_ms is None else (sent_ms - last_ms) / DAY_MS
                found[trigger.flow_id].append(Message(trigger, days))
        return dict(found)

    @property
    def first_ms(self) -> int:
        """The hour of the first touchpoint."""
        first_ms = self._events[0].time_ms
        return first_ms - first_ms % HOUR_MS

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Users and what is known of them."""
        for key, profile in self.worker.overlays[0].items(b"u:"):
            yield key.decode(), profile

    def decisions(self, outcome: str) -> list[Decision]:
        return [each for each in self.records(Decision) if each.outcome == outcome]


def table(messages: dict[str, list[Message]]) -> str:
    """Figures by flow, for people."""
    lines = [f"{'flow':18}{'messages':>10}{'customers':>11}{'days since order: median':>26}{'least':>8}  carried"]
    for flow_id, sent in sorted(messages.items()):
        days = [each.days for each in sent if each.days is not None]
        customers = len({each.trigger.customer for each in sent})
        figures = f"{median(days):26.1f}{min(days):8.1f}" if days else f"{'-':>26}{'-':>8}"
        subjects = Counter(name for each in sent for name in carried(each.trigger) if name in SUBJECTS)
        about = ", ".join(f"{name} {count}" for name, count in sorted(subjects.items()))
        lines.append(f"{flow_id:18}{len(sent):10}{customers:11}{figures}  {about}")
    return "\n".join(lines)
