"""Records of an input that are gone before they were read, because a retention or a person deleted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streams.engine.errors import RecordsLost

if TYPE_CHECKING:
    from streams.engine.settings import EngineSettings
    from streams.engine.status import Status
    from streams.kafka.offsets import PartitionId

_log = structlog.get_logger(__name__)


def note_lost(settings: EngineSettings, status: Status, place: PartitionId, first: int, begin: int) -> None:
    """Count the offsets from `first` to `begin`, whose records were deleted before they were read.

    Raises:
        RecordsLost: the settings do not say that a worker continues without them.
    """
    status.lost[place] += begin - first
    text = (
        f"{place[0]}-{place[1]}: records were deleted before a worker had read them, up to {begin - first}"
        f" from offset {first} on"
    )
    _log.error("records lost", topic=place[0], partition=place[1], first_offset=first, next_offset=begin)
    if settings.on_lost == "stop":
        raise RecordsLost(
            f"{text}. TOUCHSTREAM_ON_LOST=continue goes on without them; see deploy/guide/runbook.md#recordslost"
        )
