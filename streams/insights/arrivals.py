"""Fold of what arrives by source: silence, and drift of fields."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from schemas.limits import TIME_AHEAD_MS_MAX, TIME_MS_MAX, TIME_MS_MIN
from schemas.limits_of_quality import FIELDS_A_RECORD, NAME_CHARS_MAX, SERIES_TAKEN_MAX
from schemas.names import shown_name
from schemas.units import HOUR_MS
from streams.insights.days import local
from streams.insights.effects import BAD_SOURCE, InsightEffects
from streams.insights.pulse import beat, note_day, series_of
from streams.insights.shapes import add_fields
from streams.insights.silent import note_back

_EPOCH = date(1970, 1, 1).toordinal()

if TYPE_CHECKING:
    from schemas.insights import Arrivals, SourceCount
    from streams.insights.state import Partition
    from streams.settings import DomainSettings


def too_many_series(arrivals: Arrivals) -> str | None:
    """Return what a record has too much of; None: it may be added up."""
    fields = sum([len(each.fields) for each in arrivals.series])
    if len(arrivals.series) > SERIES_TAKEN_MAX or fields > 2 * FIELDS_A_RECORD:
        return f"the record has {len(arrivals.series)} series with {fields} fields"
    return None


def add_arrivals(state: Partition, arrivals: Arrivals, settings: DomainSettings, appended_ms: int) -> InsightEffects:
    """Add what one commit of collect wrote; `appended_ms` is when a broker appended the record, 0: none said so."""
    effects = InsightEffects()
    unwatched = {shown_name(source) for source in settings.quality.unwatched}
    latest_ms = appended_ms + TIME_AHEAD_MS_MAX if appended_ms and settings.clock == "wall" else TIME_MS_MAX
    for counted in arrivals.series:
        if not _is_ours(counted, latest_ms):
            effects.left_out[BAD_SOURCE] += 1
            continue
        series = series_of(state, counted.source, counted.type)
        if counted.live:
            note_day(state, local(counted.hour_ms, settings.zone).toordinal() - _EPOCH)
            beat(state, series, counted)
            note_back(state, series, counted)
        add_fields(state, series, counted, effects, is_watched=counted.source not in unwatched)
    return effects


def _is_ours(counted: SourceCount, latest_ms: int) -> bool:
    """Return whether collect writes such a count: anyone with the right to write to the topic may have."""
    numbers = (counted.late, counted.ahead, counted.no_user, counted.no_key)
    return (
        all(len(name) <= NAME_CHARS_MAX and "|" not in name for name in (counted.source, counted.type))
        and TIME_MS_MIN <= counted.hour_ms <= latest_ms
        and counted.hour_ms % HOUR_MS == 0
        and 0 <= counted.live <= counted.count
        and 0 <= counted.looked <= counted.count
        and all(0 <= number <= counted.looked for number in numbers)
        and (counted.hour_ms <= counted.last_ms < counted.hour_ms + HOUR_MS if counted.live else not counted.last_ms)
        and all(len(field.name) <= NAME_CHARS_MAX and 0 < field.count <= counted.looked for field in counted.fields)
    )
