"""The number of the rules by which records are folded, which a record of settings raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES
from schemas.zones import TZDATA, release_of
from state.codec import NewerState

if TYPE_CHECKING:
    from schemas.journal import Configured


def raised_rules(before: int, record: Configured) -> int:
    """Return the number of the rules after a record of settings.

    Raises:
        NewerState: this release does not know these rules, or has older time zones.
    """
    if record.rules > RULES:
        raise NewerState(
            f"the settings name rules {record.rules}, of a later release; this release knows rules up to {RULES}"
        )
    if release_of(record.tzdata) > release_of(TZDATA):
        raise NewerState(
            f"the settings rest on the time zones of tzdata {record.tzdata}, and this has {TZDATA}: "
            f"install tzdata=={record.tzdata}"
        )
    return max(before, record.rules)
