"""Series that have stopped coming in: alerts, and flows that hold their messages until they come again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from schemas.journal import SILENCE, Hold
from schemas.names import shown_name
from schemas.units import HOUR_MS, MINUTE_MS, shown_time
from streams.flows.language.relying import ANY_SOURCE, holding_on
from streams.insights.arrived import SILENCES, SOURCES, Pulse, Silences, Silent, Sources
from streams.insights.pulse import beats_of, pulse_key
from streams.insights.silence import DUE_MIN, due_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.insights import SourceCount
    from streams.insights.effects import InsightEffects
    from streams.insights.pulse import Beats
    from streams.insights.silence import Due
    from streams.insights.state import Partition
    from streams.settings import DomainSettings

KPI: Final = "silence"
DETECTOR: Final = "rate"
JUDGED_EVERY_MS: Final = MINUTE_MS
BACK_MS: Final = 15 * MINUTE_MS
BACK_LONG_MS: Final = 6 * HOUR_MS
_BACK_SHARE: Final = 0.5
Series = tuple[str, str]


def note_back(state: Partition, series: Series, counted: SourceCount) -> None:
    """Count what comes in of a series that was silent."""
    held: Silences | None = state.get(SILENCES)
    names = (
        [] if held is None else [name for name in ("|".join(series), f"{ANY_SOURCE}|{series[1]}") if name in held.open]
    )
    if held is None or not names:
        return
    open_ = dict(held.open)
    for name in names:
        silent = open_[name]
        open_[name] = replace(silent, back_ms=silent.back_ms or counted.last_ms, count=silent.count + counted.live)
    state.put(SILENCES, replace(held, open=open_), 0)


def watch_silence(
    state: Partition, now_ms: int, settings: DomainSettings, effects: InsightEffects, *, may_hold: bool
) -> None:
    """Judge all series as of a time up to which everything has come in; once a minute is often enough."""
    sources: Sources | None = state.get(SOURCES)
    if sources is None or abs(now_ms - sources.judged_ms) < JUDGED_EVERY_MS:
        return
    state.put(SOURCES, replace(sources, judged_ms=now_ms), 0)
    if settings.clock == "marks":
        # a replay's time runs on when its files have ended
        now_ms = min(now_ms, _last_ms(state, sources))
    held: Silences = state.get(SILENCES) or Silences()
    open_: dict[str, Silent] = {}
    for series, members in _watched(sources.series, settings):
        name = "|".join(series)
        beats = beats_of(state, members)
        silent = None if beats is None else _judged(series, held.open.get(name), Look(beats, now_ms, settings), effects)
        if silent is not None:
            open_[name] = silent
    for name, gone in held.open.items():
        if name not in open_ and not _was_told_over(gone, effects):
            effects.anomalies.append(replace(gone.raised, status="cleared", time_ms=now_ms))
    told = _holds(open_, settings) if may_hold else {}
    for flow_id in sorted(held.held.keys() - told.keys()):
        effects.broadcast.append(Hold(flow_id, SILENCE, is_on=False, time_ms=now_ms))
    for flow_id in sorted(told.keys() - held.held.keys()):
        effects.broadcast.append(Hold(flow_id, SILENCE, is_on=True, time_ms=now_ms, why=told[flow_id]))
    after = Silences(open_, {flow_id: held.held.get(flow_id, why) for flow_id, why in told.items()})
    if after != held:
        state.put(SILENCES, after, 0)


def _last_ms(state: Partition, sources: Sources) -> int:
    pulses: list[Pulse | None] = [state.get(pulse_key(series)) for series in sources.series]
    return max([pulse.last_ms for pulse in pulses if pulse is not None], default=0)


def _was_told_over(silent: Silent, effects: InsightEffects) -> bool:
    return any(each.anomaly_id == silent.raised.anomaly_id and each.status == "cleared" for each in effects.anomalies)


def _watched(known: Iterable[Series], settings: DomainSettings) -> Iterator[tuple[Series, list[Series]]]:
    """Yield what is judged, with the series of which it consists: each by itself, and types that hold a flow."""
    unwatched = {shown_name(source) for source in settings.quality.unwatched}
    watched = [series for series in known if series[0] not in unwatched]
    for series in watched:
        yield series, [series]
    named = {kind for source, kind in _relied_on(settings) if source == ANY_SOURCE}
    for kind in sorted(named):
        members = [series for series in watched if series[1] == kind]
        if members:
            yield (ANY_SOURCE, kind), members


def _relied_on(settings: DomainSettings) -> set[Series]:
    return {(source, kind) for flow in settings.flows for source, types in [holding_on(flow)] for kind in types}


class Look(NamedTuple):
    """What is known of a series when it is judged."""

    beats: Beats
    now_ms: int
    settings: DomainSettings


def _judged(series: Series, silent: Silent | None, look: Look, effects: InsightEffects) -> Silent | None:
    """Return the silence that is open after this look; None: there is none."""
    beats, now_ms, settings = look
    due = due_since(beats, beats.last_ms, now_ms, settings)
    if silent is None:
        if not due.is_silent:
            return None
        silent = Silent(_anomaly(series, beats.last_ms, now_ms, due))
        effects.anomalies.append(silent.raised)
        return silent
    if due.is_silent:
        # it had come in again, and stopped
        return silent if not silent.back_ms else replace(silent, back_ms=0, count=0)
    if not silent.back_ms or not _is_back(silent, look):
        return silent
    effects.anomalies.append(replace(silent.raised, status="cleared", time_ms=now_ms, observed=silent.count))
    return None


def _is_back(silent: Silent, look: Look) -> bool:
    """Return whether a series has come in again long enough, and as much as usual; one touchpoint is no proof."""
    beats, now_ms, settings = look
    since_ms = now_ms - silent.back_ms
    if since_ms < BACK_MS:
        return False
    due = due_since(beats, silent.back_ms, now_ms, settings)
    return silent.count >= _BACK_SHARE * due.number or since_ms >= BACK_LONG_MS


def _anomaly(series: Series, since_ms: int, now_ms: int, due: Due) -> Anomaly:
    by = f"source={series[0]},type={series[1]}"
    return Anomaly(
        anomaly_id=xxh3_128_hexdigest(f"{KPI}|{by}|{since_ms}".encode()),
        kpi=KPI,
        by=by,
        status="raised",
        start_ms=since_ms,
        # in a fast replay it is judged much later
        time_ms=min(now_ms, due.since_ms),
        observed=0,
        expected=due.number,
        score=due.number / DUE_MIN,
        direction="low",
        detector=DETECTOR,
    )


def _holds(open_: dict[str, Silent], settings: DomainSettings) -> dict[str, str]:
    """Return the flows that hold now, and why."""
    told = {}
    for flow in settings.flows:
        source, types = holding_on(flow)
        shown = source if source == ANY_SOURCE else shown_name(source)
        silent = [(kind, open_[name]) for kind in types if (name := f"{shown}|{kind}") in open_]
        if silent:
            kind, first = min(silent, key=lambda each: (each[1].raised.start_ms, each[0]))
            where = "any source" if source == ANY_SOURCE else shown
            raised = first.raised
            told[str(flow["id"])] = (
                f"since {shown_time(raised.start_ms)} no {kind} came from {where}, and {raised.expected:.0f} were due"
            )
    return told
