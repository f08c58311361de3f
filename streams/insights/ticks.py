"""Panel rows, which are learnt hour by hour, and what takes more than one record: starts of clusters, weekly ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.limits import DISTANCES_MAX, SLOT_ROWS_MAX
from schemas.units import HOUR_MS, WEEK_MS
from streams.insights.days import next_monday_ms, slot_hour_ms
from streams.insights.effects import LATE_ROW, ROW_BEYOND
from streams.insights.state import CLUSTERS, WARMUP, Row, Slot, slot_key
from streams.insights.ticking import begin, forget, held_clusters, is_large_part, settings_of, tick_on
from streams.insights.work import WORK, Starting, Ticking
from streams.profiles.features import FEATURES_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import PanelRow
    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Partition, Warmup
    from streams.settings import DomainSettings


def add_panel(state: Partition, clock: Clock, panel: Iterable[PanelRow], effects: InsightEffects) -> Clock:
    """Keep rows until their hour is complete; only count those of an hour that was already learnt."""
    by_hour: dict[int, list[Row]] = {}
    for row in panel:
        hour_ms = slot_hour_ms(row.slot_ms)
        if clock.learning and clock.slot_ms is not None and hour_ms < clock.slot_ms:
            effects.left_out[LATE_ROW] += 1
            continue
        by_hour.setdefault(hour_ms, []).append(
            Row(
                row.slot_ms,
                row.customer_hash,
                row.recency_ms,
                row.orders,
                row.monetary_minor,
                row.gap_ms,
                row.engagement,
            )
        )
    for hour_ms, rows in by_hour.items():
        if clock.slot_ms is None or hour_ms < clock.slot_ms:
            clock = replace(clock, slot_ms=hour_ms, slot_kept_ms=hour_ms)
        slot: Slot | None = state.get(slot_key(hour_ms))
        kept = (slot.rows if slot else ()) + tuple(rows)
        if len(kept) > SLOT_ROWS_MAX:
            # the lowest hashes are a random sample that does not depend on the order of facts
            effects.left_out[ROW_BEYOND] += len(kept) - SLOT_ROWS_MAX
            kept = tuple(sorted(kept, key=_by_customer)[:SLOT_ROWS_MAX])
        state.put(slot_key(hour_ms), Slot(kept), 0)
    return clock


def _by_customer(row: Row) -> tuple[int, Row]:
    return row.customer_hash, row


def advance(state: Partition, clock: Clock, until_ms: int, settings: DomainSettings, effects: InsightEffects) -> Clock:
    """Learn the hours up to `until_ms`, and begin the tick if it is the next one; it may not be later than that."""
    clock = _learn(state, clock, until_ms, effects)
    if clock.tick_ms == until_ms and state.get(WORK) is None:
        begin(state, clock, until_ms, settings)
    return clock


def go_on(state: Partition, clock: Clock, effects: InsightEffects) -> Clock:
    """Do one part of the work that is in progress; the clock passes a tick with its last part."""
    work: Starting | Ticking = state.get(WORK)
    if isinstance(work, Starting):
        _start_on(state, work)
        return clock
    if work.features_version != FEATURES_VERSION:
        # another release has begun it; it begins again, as it is still due
        forget(state, work)
        return clock
    if not tick_on(state, work, effects):
        return clock
    next_ms = next_monday_ms(work.time_ms, settings_of(work).zone)
    return replace(_forget(state, clock, next_ms - WEEK_MS), tick_ms=next_ms)


def is_large(state: Partition) -> bool:
    """Return whether the next part of the work in progress may take a record's time."""
    work: Starting | Ticking | None = state.get(WORK)
    return isinstance(work, Starting) or (work is not None and is_large_part(work))


def drop_work(state: Partition) -> None:
    """Forget what is in progress; it begins again at its time."""
    work: Starting | Ticking | None = state.get(WORK)
    if isinstance(work, Ticking):
        forget(state, work)
    elif work is not None:
        state.delete(WORK)


def _start_on(state: Partition, work: Starting) -> None:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - scipy and river: half of a worker's start

    warmup: Warmup = state.get(WARMUP)
    work = clustering.went_on(warmup, work, DISTANCES_MAX)
    if work.fit is not None:
        state.put(WORK, work, 0)
        return
    state.put(CLUSTERS, clustering.clusters_of(warmup, work), 0)
    state.delete(WARMUP)
    state.delete(WORK)


def first_tick_ms(clock: Clock, settings: DomainSettings) -> int:
    """Return the first tick, once a journal partition has said how far it is complete."""
    # the first time of a replay may be that of its first barrier: a Monday that waits for its tick
    first_ms = min(spoken for spoken in clock.spoken_ms if spoken is not None)
    return next_monday_ms(first_ms - 1, settings.zone)


def _learn(state: Partition, clock: Clock, complete_to_ms: int, effects: InsightEffects) -> Clock:
    if clock.slot_ms is None or clock.slot_ms > complete_to_ms:
        return clock
    hour_ms = clock.slot_ms
    while hour_ms <= complete_to_ms:
        slot: Slot | None = state.get(slot_key(hour_ms))
        if slot is not None:
            _learn_rows(state, sorted(slot.rows), hour_ms)
            effects.rows_learnt += len(slot.rows)
        hour_ms += HOUR_MS
        if state.get(WORK) is not None:
            break
    return replace(clock, slot_ms=hour_ms, learning=True)


def _learn_rows(state: Partition, rows: list[Row], hour_ms: int) -> None:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - scipy and river: half of a worker's start

    clusters = held_clusters(state)
    if clusters is not None:
        state.put(CLUSTERS, clustering.learnt(clusters, rows), 0)
        return
    warmup = clustering.gathered(state.get(WARMUP), rows)
    state.put(WARMUP, warmup, 0)
    begun = clustering.started_on(warmup, hour_ms)
    if begun is not None:
        state.put(WORK, begun, 0)


def _forget(state: Partition, clock: Clock, until_ms: int) -> Clock:
    """Drop hours that no future panel needs."""
    if clock.slot_ms is None:
        return clock
    hour_ms = clock.slot_kept_ms
    while hour_ms <= min(until_ms, clock.slot_ms - HOUR_MS):
        if state.get(slot_key(hour_ms)) is not None:
            state.delete(slot_key(hour_ms))
        hour_ms += HOUR_MS
    return replace(clock, slot_kept_ms=hour_ms)
