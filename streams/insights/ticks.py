"""Panel rows, which are learnt hour by hour, and weekly ticks, which publish models."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.insights import Model
from schemas.journal import ModelChunk, ModelTick, TickedModel
from schemas.limits import MODEL_BYTES_MAX, SLOT_ROWS_MAX
from schemas.units import HOUR_MS, WEEK_MS
from streams.insights.cuts import alike, panel_cuts
from streams.insights.days import iso_date, next_monday_ms, slot_hour_ms
from streams.insights.effects import LATE_ROW, ROW_BEYOND
from streams.insights.state import CLUSTERS, CUTS, STOCKS, WARMUP, Cuts, Row, Slot, slot_key
from streams.profiles.features import CLUSTERS_KIND, FEATURES_VERSION, ClusterModel
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import PanelRow
    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Clusters, Partition, Stocks, Warmup
    from streams.settings import DomainSettings

CODEC = "json"
MILLION = 1_000_000


class Published(NamedTuple):
    """One kind of model at a tick, and the model if it is new."""

    ticked: TickedModel
    model: CutsModel | ClusterModel | None = None
    library: str = ""


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
    """Learn the hours up to `until_ms`, and publish if it is the next tick; it may not be later than that."""
    clock = _learn(state, clock, until_ms, effects)
    if clock.tick_ms != until_ms:
        return clock
    _tick(state, clock, until_ms, settings, effects)
    next_ms = next_monday_ms(until_ms, settings.zone)
    return replace(_forget(state, clock, next_ms - WEEK_MS), tick_ms=next_ms)


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
    return replace(clock, slot_ms=hour_ms, learning=True)


def _learn_rows(state: Partition, rows: list[Row], hour_ms: int) -> None:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - scipy and river: half of a worker's start

    clusters = _clusters(state)
    if clusters is not None:
        state.put(CLUSTERS, clustering.learnt(clusters, rows), 0)
        return
    warmup = clustering.gathered(state.get(WARMUP), rows)
    begun = clustering.started(warmup, hour_ms)
    if begun is None:
        state.put(WARMUP, warmup, 0)
    else:
        state.put(CLUSTERS, begun, 0)
        state.delete(WARMUP)


def _clusters(state: Partition) -> Clusters | None:
    """Return the snapshot if it has the present features; others are useless."""
    clusters: Clusters | None = state.get(CLUSTERS)
    return clusters if clusters is not None and clusters.features_version == FEATURES_VERSION else None


def _tick(state: Partition, clock: Clock, tick_ms: int, settings: DomainSettings, effects: InsightEffects) -> None:
    rows = _panel(state, clock, tick_ms)
    date = iso_date(tick_ms, settings.zone)
    both = (
        _publish_cuts(state, rows, tick_ms, f"cuts-{date}", settings),
        _publish_clusters(state, rows, tick_ms, f"clusters-{date}", effects),
    )
    for published in both:
        if published.model is not None:
            _announce(published, published.model, tick_ms, effects)
    effects.broadcast.append(
        ModelTick(
            time_ms=tick_ms,
            models=tuple(published.ticked for published in both),
            panel_share_ppm=_share_ppm(state, settings.panel_customers_max),
        )
    )


def _panel(state: Partition, clock: Clock, tick_ms: int) -> list[Row]:
    """Return rows with a slot in the 168 h up to and including the tick, in the order of learning."""
    if clock.slot_ms is None:
        return []
    rows: list[Row] = []
    for hour_ms in range(max(clock.slot_kept_ms, slot_hour_ms(tick_ms - WEEK_MS)), tick_ms + HOUR_MS, HOUR_MS):
        slot: Slot | None = state.get(slot_key(hour_ms))
        if slot is not None:
            rows.extend(row for row in slot.rows if tick_ms - WEEK_MS < row.slot_ms <= tick_ms)
    return sorted(rows)


def _publish_cuts(state: Partition, rows: list[Row], tick_ms: int, version: str, settings: DomainSettings) -> Published:
    held: Cuts | None = state.get(CUTS)
    before = held.model if held else None
    if settings.cuts_fixed is not None:
        model = fixed_cuts(settings.cuts_fixed, tick_ms)
        if before is not None and before.version == FIXED and alike(before, model):
            return _same(CUTS_KIND, FIXED, "fixed by settings")
    elif len(rows) < settings.panel_rows_min:
        reason = f"the panel has {len(rows)} rows, {settings.panel_rows_min} are needed"
        return _same(CUTS_KIND, before.version if before else None, reason)
    else:
        # cuts of the settings are not measured, so they are not kept
        measured = None if before is None or before.version == FIXED else before
        model = panel_cuts(version, tick_ms, rows, measured, settings.cuts_dead_band)
        if measured is not None and settings.cuts_dead_band > 0 and alike(measured, model):
            return _same(CUTS_KIND, measured.version, "every cut is within the dead band")
    state.put(CUTS, Cuts(model), 0)
    return Published(TickedModel(kind=CUTS_KIND, version=model.version, reason=""), model, "touchstream")


def _publish_clusters(
    state: Partition, rows: list[Row], tick_ms: int, version: str, effects: InsightEffects
) -> Published:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - scipy and river: half of a worker's start

    clusters = _clusters(state)
    if clusters is None:
        warmup: Warmup | None = state.get(WARMUP)
        count = len(warmup.vectors) if warmup else 0
        reason = f"{count} panel rows were gathered, {clustering.WARMUP_ROWS} that differ are needed"
        return _same(CLUSTERS_KIND, None, reason)
    if clusters.version is not None and not clusters.learnt:
        return _same(CLUSTERS_KIND, clusters.version, "no panel rows since it was published")
    clusters, restarted = clustering.challenged(clusters, rows, tick_ms)
    effects.cluster_restarts += restarted
    clusters = replace(clustering.numbered(clusters), version=version, learnt=0)
    state.put(CLUSTERS, clusters, 0)
    model = clustering.model_of(clusters, rows, version, tick_ms)
    return Published(TickedModel(kind=CLUSTERS_KIND, version=version, reason=""), model, clusters.library)


def _same(kind: str, version: str | None, reason: str) -> Published:
    return Published(TickedModel(kind=kind, version=version, reason=reason))


def _announce(published: Published, model: CutsModel | ClusterModel, tick_ms: int, effects: InsightEffects) -> None:
    kind, body = published.ticked.kind, msgspec.json.encode(model)
    effects.models.append(Model(kind, model.version, tick_ms, CODEC, body, published.library, FEATURES_VERSION))
    effects.broadcast.extend(pieces_of(kind, model.version, body))


def pieces_of(kind: str, version: str, body: bytes) -> list[ModelChunk]:
    """Cut a model into pieces as large as the fold takes them."""
    pieces = [body[start : start + MODEL_BYTES_MAX] for start in range(0, len(body), MODEL_BYTES_MAX)]
    return [ModelChunk(kind, version, index, len(pieces), CODEC, piece) for index, piece in enumerate(pieces)]


def _share_ppm(state: Partition, customers_max: int) -> int:
    """Return the share that gives about `customers_max` of the customers known now, who may be newer than the tick."""
    stocks: Stocks | None = state.get(STOCKS)
    customers = stocks.totals.get("customers_ordered|", 0) if stocks else 0
    return MILLION if customers <= customers_max else customers_max * MILLION // customers


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
