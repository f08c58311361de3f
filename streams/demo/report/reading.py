"""A prefix's topics, read once, for the account and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from schemas.insights import Anomaly, Facts, Kpi, Model
from schemas.outputs import Credit, DeadLetter, Decision, ProfileView, Retried, SegmentChanged, Trigger
from schemas.touchpoint import Mark
from streams.profiles.features import CLUSTERS_KIND, ClusterModel
from streams.profiles.scores import CUTS_KIND, CutsModel

if TYPE_CHECKING:
    from schemas.wire import Wire
    from streams.topics import Topics


class Message(Protocol):
    """The methods of a Kafka record that are used here."""

    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def offset(self) -> int | None: ...
    def headers(self) -> list[tuple[str, bytes]] | None: ...


Read = Callable[[str], Iterable[Any]]
"""A function that returns the committed messages of a topic, each partition in order."""


@dataclass(slots=True)
class Records:
    """The contents of the topics; of compacted topics and corrected KPIs the last of each key."""

    touchpoints: int = 0
    """Without marks."""
    journalled: int = 0
    """A forwarded touchpoint counts once, where it came in."""
    dead_letters: dict[str, Counter[str]] = field(default_factory=dict)
    retried: Counter[str] = field(default_factory=Counter)
    """By stage: touchpoints retried from the dead letters."""
    refused_lines: int = 0
    facts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(name, by) -> sum over all hours and journal partitions."""
    profiles: dict[str, ProfileView] = field(default_factory=dict)
    segment_changes: list[SegmentChanged] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    revocations: int = 0
    decisions: list[Decision] = field(default_factory=list)
    credited_minor: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """By (model, currency): by channel."""
    kpis: dict[tuple[str, str, str, int], Kpi] = field(default_factory=dict)
    """By (name, grain, by, start_ms)."""
    anomalies: list[Anomaly] = field(default_factory=list)
    cuts: CutsModel | None = None
    clusters: ClusterModel | None = None

    def credited_in(self, currency: str) -> dict[str, dict[str, int]]:
        """Return the credit in one currency, by model and channel."""
        found = sorted(self.credited_minor.items())
        return {model: dict(counts.most_common()) for (model, of), counts in found if of == currency}


def read_records(read: Read, topics: Topics, wire: Wire) -> Records:
    """Read every topic of the prefix except the changelogs.

    Raises:
        WireError: a record of an output topic is not one of ours.
    """
    records = Records()
    mark = wire.header(Mark)
    for message in read(topics.touchpoints):
        records.touchpoints += not (message.value() or b"").startswith(mark)
    for message in read(topics.journal):
        records.journalled += _came_in(message)
    retried = {wire.decode_as(Retried, message.value() or b"").position for message in read(topics.retries)}
    for message in read(topics.dead_letters):
        _note_letter(records, wire.decode(message.value() or b""), is_retried=message.offset() in retried)
    for topic, note in _NOTES.items():
        for message in read(getattr(topics, topic)):
            value = message.value()
            if value is not None:
                note(records, wire.decode(value))
    for message in read(topics.profiles):
        _note_profile(records, message, wire)
    return records


def _came_in(message: Message) -> bool:
    """Return whether it is a touchpoint, which alone has headers, and not forwarded, which would have hops."""
    names = {name for name, _ in message.headers() or ()}
    return "received_at_ms" in names and "hops" not in names


def _note_profile(records: Records, message: Message, wire: Wire) -> None:
    value, customer = message.value(), (message.key() or b"").decode()
    if value is None:
        records.profiles.pop(customer, None)
    else:
        shown = wire.decode(value)
        if isinstance(shown, ProfileView):
            records.profiles[customer] = shown
        else:
            records.profiles.pop(customer, None)  # merged into another user's


def _note_letter(records: Records, letter: DeadLetter, *, is_retried: bool) -> None:
    if is_retried and (letter.stage == "collect" or "received_at_ms" in letter.headers):
        records.retried[letter.stage] += 1
    records.dead_letters.setdefault(letter.stage, Counter())[letter.reason] += 1
    if letter.stage == "replay":
        records.refused_lines += letter.lines


def _note_trigger(records: Records, record: object) -> None:
    if isinstance(record, Trigger):
        records.triggers.append(record)
    else:
        records.revocations += 1


def _note_facts(records: Records, facts: object) -> None:
    # the first record of the topic holds the settings
    if isinstance(facts, Facts):
        for count in facts.counts:
            records.facts[count.name, count.by] += count.value


def _note_credit(records: Records, credit: Credit) -> None:
    of_currency = records.credited_minor.setdefault((credit.model, credit.currency), Counter())
    of_currency[credit.channel] += credit.amount_minor


def _note_kpi(records: Records, kpi: Kpi) -> None:
    records.kpis[kpi.name, kpi.grain, kpi.by, kpi.start_ms] = kpi


def _note_model(records: Records, model: Model) -> None:
    if model.kind == CUTS_KIND:
        records.cuts = msgspec.json.decode(model.body, type=CutsModel)
    elif model.kind == CLUSTERS_KIND:
        records.clusters = msgspec.json.decode(model.body, type=ClusterModel)


_NOTES: dict[str, Callable[[Records, Any], None]] = {
    "triggers": _note_trigger,
    "decisions": lambda records, decision: records.decisions.append(decision),
    "segments": lambda records, change: records.segment_changes.append(change),
    "anomalies": lambda records, anomaly: records.anomalies.append(anomaly),
    "credits": _note_credit,
    "facts": _note_facts,
    "kpis": _note_kpi,
    "models": _note_model,
}
