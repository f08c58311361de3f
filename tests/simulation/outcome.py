"""What a run said and what it knew in the end, and where two of them differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.insights import Facts
from schemas.journal import CollectedTo, Progress
from schemas.wire import SINGLE_OBJECT, WireError
from streams.engine.batch import Output
from streams.fold.partition_state import PARTITION_KEY
from streams.profiles.codec import decode_profile
from tests.simulation.model_client import as_headers
from tests.simulation.worker import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kafka.offsets import PartitionId
    from streams.profiles.profile import Profile
    from tests.simulation.model_broker import ModelBroker

# each is a text that is composed again
_JOURNAL, _FACTS, _DEAD_LETTERS = TOPICS.journal, TOPICS.facts, TOPICS.dead_letters
ORDERED = (
    TOPICS.triggers,
    TOPICS.decisions,
    TOPICS.credits,
    TOPICS.segments,
    TOPICS.profiles,
    TOPICS.kpis,
    TOPICS.anomalies,
    TOPICS.models,
)
"""Of these every value counts, in order by key."""

Sequences = dict[tuple[str, bytes | None], list[bytes | None]]
"""By topic and key: values in order."""
Looped = Counter[tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]]
"""Records of the journal: partition, key, value, headers."""

TIMES = (SINGLE_OBJECT.header(Progress), SINGLE_OBJECT.header(CollectedTo))
"""How often time is told is luck."""


@dataclass
class Outcome:
    """All that was said, and what is known in the end."""

    said: Sequences = field(default_factory=lambda: defaultdict(list))
    letters: Counter[bytes | None] = field(default_factory=Counter)
    journal: Looped = field(default_factory=Looped)
    """All but progress, whose number is luck, and the settings."""
    touched: Sequences = field(default_factory=lambda: defaultdict(list))
    """What came into the journal from outside, in order by key."""
    counts: Counter[tuple[int, str, int, str]] = field(default_factory=Counter)
    """Facts, summed by partition, name, hour and split."""
    panel: Counter[Any] = field(default_factory=Counter)
    complete_to_ms: dict[int, int] = field(default_factory=dict)
    state: dict[PartitionId, dict[bytes, Any]] = field(default_factory=dict)

    def take(self, output: Output) -> None:
        """Take in a record that was sent."""
        topic, key, value = output.topic, output.key, output.value
        if topic == _JOURNAL:
            self._take_journal(output.partition, key, value, as_headers(output.headers))
        elif topic == _FACTS:
            facts = SINGLE_OBJECT.decode_as(Facts, value or b"")
            self.counts.update({(facts.partition, c.name, c.hour_ms, c.by): c.value for c in facts.counts})
            self.panel.update((facts.partition, row) for row in facts.panel)
            if facts.complete_to_ms is not None:
                self.complete_to_ms[facts.partition] = facts.complete_to_ms
        elif topic == _DEAD_LETTERS:
            self.letters[value] += 1
        else:
            self.said[topic, key].append(value)

    def summed(self) -> Outcome:
        """Forget sums that came to nothing, as no facts tell them."""
        self.counts = Counter({key: value for key, value in self.counts.items() if value})
        return self

    def _take_journal(
        self, number: int, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]
    ) -> None:
        if value is not None and value.startswith(TIMES):
            return
        self.journal[number, key, value, headers] += 1
        if [name for name, _ in headers] == ["received_at_ms"]:
            self.touched[_JOURNAL, key].append(value)


def held(broker: ModelBroker) -> Outcome:
    """Read what the topics hold: what was committed, and the state as the changelogs have it."""
    outcome = Outcome()
    for topic in (*ORDERED, _DEAD_LETTERS, _FACTS, _JOURNAL):
        for number, log in enumerate(broker.topics[topic]):
            # the settings are the first record of each partition of facts and journal
            for _, entry in log.committed(1 if topic in {_FACTS, _JOURNAL} else 0):
                output = Output(topic, number, entry.key, entry.value, list(entry.headers))
                outcome.take(output)
    for topic, changelog in ((_JOURNAL, TOPICS.profiles_changelog), (_FACTS, TOPICS.insights_changelog)):
        for number, log in enumerate(broker.topics[changelog]):
            last = {entry.key or b"": entry.value for _, entry in log.committed()}
            outcome.state[topic, number] = {key: value for key, value in last.items() if value is not None}
    return outcome.summed()


def differences(there: Outcome, expected: Outcome) -> Iterator[str]:
    """Say what is not as it must be, one thing at a time."""
    for name in ("touched", "said", "state", "journal", "letters", "counts", "panel", "complete_to_ms"):
        yield from _compared(name, dict(getattr(there, name)), dict(getattr(expected, name)))


def of_customers(outcome: Outcome) -> Outcome:
    """Leave what is told by and about customers, apart from what insights makes of it."""
    ours = (TOPICS.kpis, TOPICS.anomalies, TOPICS.models)
    return Outcome(
        said={key: values for key, values in outcome.said.items() if key[0] not in ours},
        touched=outcome.touched,
        letters=outcome.letters,
        counts=outcome.counts,
        panel=outcome.panel,
        state={
            place: {key: _without_wake(value) for key, value in state.items() if key != PARTITION_KEY}
            for place, state in outcome.state.items()
            if place[0] == _JOURNAL
        },
    )


def _without_wake(value: bytes) -> Profile:
    """The next check of a customer is at or before what is due; after a held message, how far before is chance."""
    return msgspec.structs.replace(decode_profile(value), wake_ms=0)


def _compared(name: str, there: dict[Any, Any], expected: dict[Any, Any]) -> Iterator[str]:
    for key in sorted(there.keys() | expected.keys(), key=repr):
        one, other = there.get(key), expected.get(key)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _compared(f"{name} {key}", one, other)
        else:
            yield f"{name} {_shown(key)}: there is {_shown(one)}, expected was {_shown(other)}"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return repr(SINGLE_OBJECT.decode(value))
        except (ValueError, WireError):
            return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return repr(value)
