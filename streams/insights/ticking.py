"""A weekly tick in parts: rows are gathered, cuts measured, clusters challenged and counted, models published.

A panel may have 168,000 rows and a challenger 800 rounds, so that one record does one part of it. What is published
is the same as if it were done at once: rows of hours up to the tick are complete, and nothing is learnt meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from schemas.insights import Model
from schemas.journal import ModelChunk, ModelTick, TickedModel
from schemas.limits import DISTANCES_MAX, MODEL_BYTES_MAX, PIECE_ROWS_MAX
from schemas.units import HOUR_MS, WEEK_MS
from streams.insights.cuts import alike, cuts_of
from streams.insights.days import iso_date, slot_hour_ms
from streams.insights.state import CLUSTERS, CUTS, STOCKS, WARMUP, Clusters, Cuts, slot_key
from streams.insights.work import SAMPLE, WORK, Piece, Sample, Ticking, piece_key
from streams.profiles.features import CLUSTERS_KIND, FEATURES, FEATURES_VERSION, ClusterModel
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Partition, Row, Slot, Stocks, Warmup
    from streams.insights.work import CutsOutcome, Fit
    from streams.settings import DomainSettings

CODEC = "json"
MILLION = 1_000_000
_COLUMNS = 5
_FEW_ROWS = 500


class Published(NamedTuple):
    """One kind of model at a tick, and the model if it is new."""

    ticked: TickedModel
    model: CutsModel | ClusterModel | None = None
    library: str = ""


def held_clusters(state: Partition) -> Clusters | None:
    """Return the snapshot if it has the present features; others are useless."""
    clusters: Clusters | None = state.get(CLUSTERS)
    return clusters if clusters is not None and clusters.features_version == FEATURES_VERSION else None


def begin(state: Partition, clock: Clock, tick_ms: int, settings: DomainSettings) -> None:
    """Begin a tick; what may change until its end is taken now."""
    hour_ms = slot_hour_ms(tick_ms - WEEK_MS)
    if clock.slot_ms is None:
        hour_ms = tick_ms + HOUR_MS
    share_ppm = _share_ppm(state, settings.panel_customers_max)
    state.put(WORK, Ticking(tick_ms, share_ppm, max(clock.slot_kept_ms, hour_ms)), 0)


def tick_on(state: Partition, work: Ticking, settings: DomainSettings, effects: InsightEffects) -> bool:
    """Do one part of a tick; return whether it was the last."""
    if work.hour_ms < work.time_ms + HOUR_MS:
        state.put(WORK, _gathered(state, work), 0)
    elif work.cuts is None:
        state.put(WORK, replace(work, cuts=_cuts(state, work, settings)), 0)
    elif work.fit is None and _wants_challenger(state, work):
        state.put(WORK, _challenge(state, work), 0)
    elif work.fit is not None and work.fit.left:
        state.put(WORK, _challenge_on(state, work, work.fit), 0)
    else:
        _publish(state, work, work.cuts, settings, effects)
        forget(state, work)
        state.delete(WORK)
        return True
    return False


def is_large_part(work: Ticking) -> bool:
    """Return whether the next part may take long; the first one may until its rows are known."""
    return work.fit is not None or work.rows >= _FEW_ROWS


def forget(state: Partition, work: Ticking) -> None:
    """Drop what a tick has gathered."""
    for number in range(work.pieces):
        state.delete(piece_key(number))
    if state.get(SAMPLE) is not None:
        state.delete(SAMPLE)


def _gathered(state: Partition, work: Ticking) -> Ticking:
    """Gather rows with a slot in the 168 h up to and including the tick, in the order of learning."""
    from streams.insights.clusters import vector_of  # noqa: PLC0415 - scipy and river: half of a worker's start

    tick_ms, hour_ms = work.time_ms, work.hour_ms
    rows: list[Row] = []
    while hour_ms < tick_ms + HOUR_MS and len(rows) < PIECE_ROWS_MAX:
        slot: Slot | None = state.get(slot_key(hour_ms))
        if slot is not None:
            rows.extend(sorted(row for row in slot.rows if tick_ms - WEEK_MS < row.slot_ms <= tick_ms))
        hour_ms += HOUR_MS
    if not rows:
        return replace(work, hour_ms=hour_ms)
    columns = np.array(
        [(row.recency_ms, row.orders, row.monetary_minor, row.customer_hash, row.slot_ms) for row in rows], np.int64
    )
    vectors = np.array([vector_of(row) for row in rows], np.float64)
    state.put(piece_key(work.pieces), Piece(columns.T.tobytes(), vectors.tobytes()), 0)
    return replace(work, hour_ms=hour_ms, pieces=work.pieces + 1, rows=work.rows + len(rows))


def _columns(state: Partition, work: Ticking) -> NDArray[np.int64]:
    pieces: list[Piece] = [state.get(piece_key(number)) for number in range(work.pieces)]
    empty = np.empty((_COLUMNS, 0), np.int64)
    return np.hstack([empty, *(np.frombuffer(each.columns, np.int64).reshape(_COLUMNS, -1) for each in pieces)])


def _vectors(state: Partition, work: Ticking) -> Iterator[NDArray[np.float64]]:
    for number in range(work.pieces):
        piece: Piece = state.get(piece_key(number))
        yield np.frombuffer(piece.vectors, np.float64).reshape(-1, len(FEATURES))


def _cuts(state: Partition, work: Ticking, settings: DomainSettings) -> CutsOutcome:
    """Measure and keep the cuts; return their version, the reason why they are as before, and whether they are new."""
    held: Cuts | None = state.get(CUTS)
    before = held.model if held else None
    if settings.cuts_fixed is not None:
        model = fixed_cuts(settings.cuts_fixed, work.time_ms)
        if before is not None and before.version == FIXED and alike(before, model):
            return FIXED, "fixed by settings", False
    elif work.rows < settings.panel_rows_min:
        reason = f"the panel has {work.rows} rows, {settings.panel_rows_min} are needed"
        return before.version if before else None, reason, False
    else:
        # cuts of the settings are not measured, so they are not kept
        measured = None if before is None or before.version == FIXED else before
        version = f"cuts-{iso_date(work.time_ms, settings.zone)}"
        columns = _columns(state, work)[:3]
        model = cuts_of(version, work.time_ms, columns, measured, settings.cuts_dead_band)
        if measured is not None and settings.cuts_dead_band > 0 and alike(measured, model):
            return measured.version, "every cut is within the dead band", False
    state.put(CUTS, Cuts(model), 0)
    return model.version, "", True


def _wants_challenger(state: Partition, work: Ticking) -> bool:
    from streams.insights.clusters import CHALLENGER_ROWS_MIN  # noqa: PLC0415 - as above

    clusters = held_clusters(state)
    is_due = clusters is not None and (clusters.version is None or clusters.learnt > 0)
    return is_due and work.rows >= CHALLENGER_ROWS_MIN


def _challenge(state: Partition, work: Ticking) -> Ticking:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - as above

    _, _, _, hashes, slots_ms = _columns(state, work)
    raw = clustering.sampled(hashes, slots_ms, np.vstack(list(_vectors(state, work))))
    state.put(SAMPLE, Sample(raw.tobytes()), 0)
    clusters: Clusters = state.get(CLUSTERS)
    return replace(work, fit=clustering.challenge(raw, len(clusters.centres), work.time_ms))


def _challenge_on(state: Partition, work: Ticking, fit: Fit) -> Ticking:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - as above

    return replace(work, fit=clustering.challenge_on(_sample(state), fit, DISTANCES_MAX))


def _sample(state: Partition) -> NDArray[np.float64]:
    sample: Sample = state.get(SAMPLE)
    return np.frombuffer(sample.vectors, np.float64).reshape(-1, len(FEATURES))


def _publish(
    state: Partition,
    work: Ticking,
    measured: CutsOutcome,
    settings: DomainSettings,
    effects: InsightEffects,
) -> None:
    version, reason, is_new = measured
    cuts: Cuts | None = state.get(CUTS)
    ticked = TickedModel(kind=CUTS_KIND, version=version, reason=reason)
    both = (
        Published(ticked, cuts.model, "touchstream") if is_new and cuts is not None else Published(ticked),
        _clusters(state, work, f"clusters-{iso_date(work.time_ms, settings.zone)}", effects),
    )
    for published in both:
        if published.model is not None:
            _announce(published, published.model, work.time_ms, effects)
    effects.broadcast.append(
        ModelTick(
            time_ms=work.time_ms,
            models=tuple(published.ticked for published in both),
            panel_share_ppm=work.share_ppm,
        )
    )


def _clusters(state: Partition, work: Ticking, version: str, effects: InsightEffects) -> Published:
    from streams.insights import clusters as clustering  # noqa: PLC0415 - as above

    clusters = held_clusters(state)
    if clusters is None:
        warmup: Warmup | None = state.get(WARMUP)
        count = len(warmup.vectors) if warmup else 0
        reason = f"{count} panel rows were gathered, {clustering.WARMUP_ROWS} that differ are needed"
        return _same(CLUSTERS_KIND, None, reason)
    if clusters.version is not None and not clusters.learnt:
        return _same(CLUSTERS_KIND, clusters.version, "no panel rows since it was published")
    if work.fit is not None:
        from streams.insights.kmeans import fitted  # noqa: PLC0415 - as above

        clusters, restarted = clustering.challenged_by(clusters, _sample(state), fitted(work.fit))
        effects.cluster_restarts += restarted
    clusters = replace(clustering.numbered(clusters), version=version, learnt=0)
    state.put(CLUSTERS, clusters, 0)
    model = clustering.counted_model(clusters, _vectors(state, work), version, work.time_ms)
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
