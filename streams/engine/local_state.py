"""Whether the local state of a partition may be used, and its changelog, before anything is read from either.

A changelog is only ever compacted, so its first offset stays 0. If it has another, or ends before what the local state
has seen, somebody deleted records or the whole topic. Then no state can be restored from it, and the local state may be
the last copy there is. So it is neither deleted nor completed from such a changelog: a person decides.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from state.codec import frame
from streams.engine.errors import ChangelogLost

REBUILDING = b"\x00rebuilding"
"""A key in a changelog while `touchstream rebuild` writes it; deleted at the end."""
UNFINISHED = frame(1, 0, b"")
WHAT_TO_DO = (
    "The local state, if there is any, is kept as it is. deploy/guide/running.md#when-topics-changed says how to go on"
)


class Origin(NamedTuple):
    """The ids of the topics to which a state belongs; empty where they are unknown."""

    source: str
    changelog: str

    @classmethod
    def read(cls, text: str) -> Origin:
        """Read what `text` wrote; unknown if a store has none."""
        source, _, changelog = text.partition(" ")
        return cls(source, changelog)

    @property
    def text(self) -> str:
        """Return what a store keeps."""
        return f"{self.source} {self.changelog}"


class Held(NamedTuple):
    """A local state: its position in the changelog (-1: it is new), and for how long nobody has written to it."""

    position: int
    origin: Origin
    is_old: bool


class Changelog(NamedTuple):
    """A changelog as it is now, and the topics' ids."""

    name: str
    low: int
    high: int
    origin: Origin


class Use(Enum):
    """What to do with a local state."""

    CONTINUE = "continue"
    REBUILD = "rebuild"
    """It is too old: it may lack deletions of which the changelog no longer knows."""
    SET_ASIDE = "set aside"
    """It belongs to topics that are gone."""


def use_of(held: Held, changelog: Changelog) -> Use:
    """Say what to do with a local state.

    Raises:
        ChangelogLost: the changelog does not hold all that was written to it.
    """
    name, low, high, now = changelog
    is_new_source = _differ(held.origin.source, now.source)
    is_new_changelog = _differ(held.origin.changelog, now.changelog)
    if low > 0:
        raise ChangelogLost(
            f"{name} begins at offset {low} instead of 0: somebody deleted its first records, though it may only be"
            f" compacted. {WHAT_TO_DO}"
        )
    if held.position < 0:
        return Use.CONTINUE
    if is_new_source and is_new_changelog:
        return Use.SET_ASIDE
    if is_new_changelog:
        raise ChangelogLost(f"{name} was deleted and made again, and its input was not. {WHAT_TO_DO}")
    if is_new_source:
        raise ChangelogLost(
            f"{name} holds the state of records that are gone: its input was deleted and made again, and it was not."
            f" {WHAT_TO_DO}"
        )
    if held.position > high:
        raise ChangelogLost(
            f"{name} ends at {high}, but the local state has come to {held.position}: its last records are lost, or"
            f" it was made again. {WHAT_TO_DO}"
        )
    return Use.REBUILD if held.is_old else Use.CONTINUE


def _differ(before: str, now: str) -> bool:
    return bool(before and now and before != now)
