"""Names of a prefix's topics, and how they are created."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schemas.limits import LETTERS_TOPIC_BYTES_MAX, TOPIC_BYTES_MAX
from schemas.units import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import DomainSettings

MESSAGE_BYTES = "max.message.bytes"
_FOREVER = {"retention.ms": "-1"}
LETTERS_KEPT_MS = 7 * DAY_MS
"""How long dead letters are kept: they hold records as they came, with addresses if they had any."""
_LETTERS = {"retention.ms": str(LETTERS_KEPT_MS), "segment.ms": str(DAY_MS)}
"""A segment is deleted as a whole, so it is closed after a day."""
_COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000"}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it has to be; `config` are the broker's topic settings."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication: int = 1


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names of the topics under a prefix."""

    prefix: str

    def __getattr__(self, name: str) -> str:
        """Return a full name: `topics.dead_letters` is `<prefix>.dead-letters`."""
        if name not in NAMES:
            raise AttributeError(name)
        return f"{self.prefix}.{name.replace('_', '-')}"

    def all(self) -> list[str]:
        """Return the names of all topics of the prefix."""
        return [getattr(self, name) for name in NAMES]


NAMES = (
    "touchpoints",
    "journal",
    "dead_letters",
    "retries",
    "triggers",
    "decisions",
    "credits",
    "segments",
    "profiles",
    "facts",
    "kpis",
    "anomalies",
    "models",
    "settings",
    "profiles_changelog",
    "insights_changelog",
)


def specs(prefix: str, settings: DomainSettings) -> list[TopicSpec]:
    """Return the topics to create. Subscribers' topics have as many partitions as the journal, a fixed number."""
    topics = Topics(prefix)
    journal = settings.journal_partitions
    # a record that says how far time has come is held against the time at which a broker appended it
    stamped = {"message.timestamp.type": "LogAppendTime" if settings.clock == "wall" else "CreateTime"}
    all_ = [
        TopicSpec(topics.touchpoints, settings.touchpoint_partitions, stamped),
        TopicSpec(topics.journal, journal, {**_FOREVER, **stamped}),
        TopicSpec(topics.dead_letters, 1, {**_LETTERS, MESSAGE_BYTES: str(LETTERS_TOPIC_BYTES_MAX)}),
        TopicSpec(topics.retries, 1, _FOREVER),
        *(
            TopicSpec(name, journal, _FOREVER)
            for name in (topics.triggers, topics.decisions, topics.credits, topics.segments)
        ),
        TopicSpec(topics.profiles, journal, _COMPACTED),
        TopicSpec(topics.facts, 1, {**_FOREVER, **stamped}),
        TopicSpec(topics.kpis, 1, _FOREVER),
        TopicSpec(topics.anomalies, 1, _FOREVER),
        TopicSpec(topics.models, 1, _COMPACTED),
        TopicSpec(topics.settings, 1, _COMPACTED),
        TopicSpec(topics.profiles_changelog, journal, {**_COMPACTED, **stamped}),
        TopicSpec(topics.insights_changelog, 1, {**_COMPACTED, **stamped}),
    ]
    # explicit, so that a lower default of the brokers cannot stop a worker
    return [replace(spec, config={MESSAGE_BYTES: str(TOPIC_BYTES_MAX), **spec.config}) for spec in all_]


def worker_id(prefix: str, instance: str) -> str:
    """Return the transactional id of a worker's slot.

    Neither a prefix nor an instance has a slash: no id of one prefix begins like another's.
    """
    return f"{prefix}/worker/{instance}"


def command_id(prefix: str, name: str) -> str:
    """Return the transactional id of a command that writes into a prefix."""
    return f"{prefix}/command/{name}"
