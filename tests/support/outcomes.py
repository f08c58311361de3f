"""Everything a prefix's topics hold after a run, in a form that two runs can be compared by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from schemas.insights import Facts, PanelRow
from schemas.outputs import Credit, DeadLetter, Decision, SegmentChanged, Trigger
from schemas.touchpoint import Mark
from schemas.wire import SINGLE_OBJECT
from streams.replay.files.mapped import MappedTouchpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from streams.shop.generator import Shop
    from tests.support.running import Place

ORDERED = ("triggers", "decisions", "credits", "segments")
"""Topics of which every value counts, in order by key."""
COMPACTED = ("profiles", "models")
"""Topics of which the last value of a key counts."""


@dataclass(slots=True)
class Outcome:
    """What one run left."""

    values: dict[str, dict[bytes, list[bytes]]] = field(default_factory=dict)
    """By topic and key: value bytes in order; of compacted topics the last one, keys that ended in a tombstone not."""
    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Facts by (name, hour_ms, by), summed over partitions and commits."""
    panel: Counter[PanelRow] = field(default_factory=Counter)
    kpis: dict[bytes, dict[int, bytes]] = field(default_factory=dict)
    """By key and window: the last value."""
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (stage, reason)."""
    touchpoints: int = 0
    """In the topic touchpoints; marks are none, unless they were refused."""
    journalled: int = 0
    """Touchpoints in the journal, forwarded ones counted once."""
    ids: Counter[str] = field(default_factory=Counter)
    """Of everything that must not happen twice."""

    def total(self, name: str, by: str = "") -> int:
        """A fact over all hours."""
        return sum(value for (counted, _, split), value in self.counts.items() if (counted, split) == (name, by))

    def letters_of(self, stage: str) -> int:
        return sum(count for (at, _), count in self.letters.items() if at == stage)

    def accounting(self) -> dict[str, int]:
        """Where every touchpoint went."""
        names = ("folded", "duplicates", "fold_dead_letters", "forwards_sent", "forwards_received")
        return {
            "touchpoints": self.touchpoints,
            "journalled": self.journalled,
            "collect_letters": self.letters_of("collect"),
            **{name: self.total(name) for name in names},
        }


def read_outcome(place: Place) -> Outcome:
    """Reads a prefix that is worked off."""
    outcome = Outcome()
    for topic in (*ORDERED, *COMPACTED):
        outcome.values[topic] = _values(place, topic)
    for facts in place.records("facts", Facts):
        outcome.counts.update({(count.name, count.hour_ms, count.by): count.value for count in facts.counts})
        outcome.panel.update(facts.panel)
    outcome.counts = Counter({name: value for name, value in outcome.counts.items() if value})
    mark = SINGLE_OBJECT.header(Mark)
    letters = place.records("dead_letters", DeadLetter)
    outcome.letters.update((letter.stage, letter.reason) for letter in letters)
    outcome.touchpoints = sum(not (each.value() or b"").startswith(mark) for each in place.messages("touchpoints"))
    refused = [letter for letter in letters if letter.stage == "collect"]
    outcome.touchpoints += sum((letter.value or b"").startswith(mark) for letter in refused)
    for message in place.messages("journal"):
        names = {name for name, _ in message.headers() or ()}
        outcome.journalled += "received_at_ms" in names and "hops" not in names
    outcome.ids.update(_ids(outcome))
    return outcome


def differing(
    calm: Outcome, killed: Outcome, topics: Collection[str] = (*ORDERED, *COMPACTED)
) -> dict[str, list[bytes]]:
    """Keys by topic whose values are not the same, byte by byte and in order."""
    found = {}
    for topic in topics:
        expected, there = calm.values[topic], killed.values[topic]
        found[topic] = sorted(key for key in expected.keys() | there.keys() if expected.get(key) != there.get(key))
    return {topic: keys for topic, keys in found.items() if keys}


def logged_in(shop: Shop) -> Iterator[MappedTouchpoint]:
    """The shop, if every visitor were known from the start.

    A device's records reach its user through the journal, among the user's own records, in an order that differs from
    run to run. A customer without devices has their records in one order, so runs can be compared byte by byte.
    """
    for each in shop.touchpoints():
        user = each.user_id or each.anonymous_id
        yield MappedTouchpoint(msgspec.structs.replace(each, user_id=user, anonymous_id=None, email_hash=None), 1)


def _values(place: Place, topic: str) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for message in place.messages(topic):
        key, value = message.key() or b"", message.value()
        if value is None:
            found.pop(key, None)
        elif topic in COMPACTED:
            found[key] = [value]
        else:
            found.setdefault(key, []).append(value)
    return found


def _ids(outcome: Outcome) -> list[str]:
    found = []
    for topic in ORDERED:
        for values in outcome.values[topic].values():
            for record in map(SINGLE_OBJECT.decode, values):
                match record:
                    case Trigger():
                        found.append(f"trigger {record.trigger_id}")
                    case Decision():
                        found.append(f"decision {record.candidate_id} {record.step} {record.outcome}")
                    case Credit():
                        found.append(f"credit {record.credit_id}")
                    case SegmentChanged():
                        found.append(f"change {record.change_id}")
    return found
