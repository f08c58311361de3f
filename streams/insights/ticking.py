"""A weekly tick in parts: rows are gathered, cuts measured, clusters challenged and counted, models published.

A panel may have 168,000 rows and a challenger 800 rounds, so that one record does one part of it. What is published
is the same as if it were done at once: settings and the newest hour are taken as the tick begins, older hours are
complete, nothing is learnt meanwhile, and no model is in force before its tick is published.
"""

from __future__ import annotations

from functools import lru_cache
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
from streams.insights.history import HISTORY, History
from streams.insights.state import CLUSTERS, CUTS, STOCKS, WARMUP, Clusters, Cuts, slot_key
from streams.insights.work import SAMPLE, WORK, Measured, Piece, Sample, Ticking, piece_key
from streams.profiles.features import CLUSTERS_KIND, FEATURES, FEATURES_VERSION, ClusterModel
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Partition, Row, Slot, Stocks, Warmup
    from streams.insights.work import Fit
    from streams.settings import DomainSettings

CODEC = "json"
MILLION = 1_000_000
_COLUMNS = 5
_DECIDING = {"reporting_time_zone", "cuts_fixed", "cuts_dead_band", "panel_rows_min"}
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
    work = Ticking(
        tick_ms,
        settings.model_dump_json(include=_DECIDING),
        _share_ppm(state, settings.panel_customers_max),
        FEATURES_VERSION,
        slot_hour_ms(tick_ms),
        tick_ms + HOUR_MS if clock.slot_ms is None else max(clock.slot_kept_ms, slot_hour_ms(tick_ms - WEEK_MS)),
    )
    # rows of an hour that the tick divides may still come
    state.put(WORK, _gathered(state, work, 1), 0)


@lru_cache(maxsize=2)
def settings_of(work: Ticking) -> DomainSettings:
    """Return the settings by which a tick began, as far as they decide about it."""
    return parse_domain(work.settings)


def tick_on(state: Partition, work: Ticking, effects: InsightEffects) -> bool:
    """Do one part of a tick; return whether it was the last."""
    cuts, fit = work.cuts, work.fit
    if work.hour_ms >= work.first_ms:
        work = _gathered(state, work, PIECE_ROWS_MAX)
    elif cuts is None:
        work = replace(work, cuts=_measured(state, work))
    elif not work.is_sampled and _wants_challenger(state, work):
        work = _sampled(state, work)
    elif work.is_sampled and fit is None:
        work = _challenge(state, work)
    elif fit is not None and fit.left:
        work = _challenge_on(state, work, fit)
    else:
        _publish(state, work, cuts, effects)
        forget(state, work)
        return True
    state.put(WORK, work, 0)
    return False


def is_large_part(work: Ticking) -> bool:
    """Return whether the next part may take long; the first one may until its rows are known."""
    return work.is_sampled or work.rows >= _FEW_ROWS


def forget(state: Partition, work: Ticking) -> None:
    """Drop a tick and what it has gathered."""
    for number in range(work.pieces):
        state.delete(piece_key(number))
    if work.is_sampled:
        state.delete(SAMPLE)
    state.delete(WORK)


def _gathered(state: Partition, work: Ticking, rows_max: int) -> Ticking:
    """Gather rows with a slot in the 168 h up to and including the tick, of so many and as many as an hour has."""
    from streams.insights.clusters import vector_of  # noqa: PLC0415 - scipy and river: half of a worker's start

    tick_ms, hour_ms = work.time_ms, work.hour_ms
    rows: list[Row] = []
    while hour_ms >= work.first_ms and len(rows) < rows_max:
        slot: Slot | None = state.get(slot_key(hour_ms))
        if slot is not None:
            rows.extend(row for row in slot.rows if tick_ms - WEEK_MS < row.slot_ms <= tick_ms)
        hour_ms -= HOUR_MS
    if not rows:
        return replace(work, hour_ms=hour_ms)
    rows.sort()
    columns = np.array(
        [(row.recency_ms, row.orders, row.monetary_minor, row.customer_hash, row.slot_ms) for row in rows], np.int64
    )
    vectors = np.array([vector_of(row) for row in rows], np.float64)
    state.put(piece_key(work.pieces), Piece(columns.T.tobytes(), vectors.tobytes()), 0)
    return replace(work, hour_ms=hour_ms, pieces=work.pieces + 1, rows=work.rows + len(rows))


def _columns(state: Partition, work: Ticking) -> NDArray[np.int64]:
    columns = [np.frombuffer(each.columns, np.int64).reshape(_COLUMNS, -1) for each in _pieces(state, work)]
    return np.hstack([np.empty((_COLUMNS, 0), np.int64), *columns])


def _vectors(state: Partition, work: Ticking) -> Iterator[NDArray[np.float64]]:
    for piece in _pieces(state, work):
        yield np.frombuffer(piece.vectors, np.float64).reshape(-1, len(FEATURES))


def _pieces(state: Partition, work: Ticking) -> Iterator[Piece]:
    """Yield what was gathered in the order of learning."""
    for number in reversed(range(work.pieces)):
        yield state.get(piece_key(number))


def _measured(state: Partition, work: Ticking) -> Measured:
    settings = settings_of(work)
    held: Cuts | None = state.get(CUTS)
    before = held.model if held else None
    if settings.cuts_fixed is not None:
        model = fixed_cuts(settings.cuts_fixed, work.time_ms)
        if before is not None and before.version == FIXED and alike(before, model):
            return Measured(FIXED, "fixed by settings")
    elif work.rows < settings.panel_rows_min:
        reason = f"the panel has {work.rows} rows, {settings.panel_rows_min} are needed"
        return Measured(before.version if before else None, reason)
    else:
        # cuts of the settings are not measured, so they are not kept
        measured = None if before is None or before.version == FIXED else before
        version = f"cuts-{iso_date(work.time_ms, settings.zone)}"
        columns = _columns(state, work)[:3]
        model = cuts_of(version, work.time_ms, columns, measured, settings.cuts_dead_band)
        if measured is not None and settings.cuts_dead_band > 0 and alike(measured, model):
            return Measured(measured.version, "every cut is within the dead band")
    return Measured(model.version, model=model)


def _wants_challenger(state: Partition, work: Ticking) -> bool:
    from streams.insights.clusters import CHALLENGER_ROWS_MIN  # noqa: PLC0415 - as above

    clusters = held_clusters(state)
    is_due = clusters is not None and (clusters.version is None or clusters.learnt > 0)
    return is_due and work.rows >= CHALLENGER_ROWS_MIN


def _sampled(state: Partition, work: Ticking) -> Ticking:
    from streams.insights.clusters import sampled  # noqa: PLC0415 - as above

    _, _, _, hashes, slots_ms = _columns(state, work)
    raw = sampled(hashes, slots_ms, np.vstack(list(_vectors(state, work))))
    state.put(SAMPLE, Sample(raw.tobytes()), 0)
    return replace(work, is_sampled=True)


def _challenge(state: Partition, work: Ticking) -> Ticking:
    from streams.insights.clusters import challenge  # noqa: PLC0415 - as above

    clusters: Clusters = state.get(CLUSTERS)
    return replace(work, fit=challenge(_sample(state), len(clusters.centres), work.time_ms))


def _challenge_on(state: Partition, work: Ticking, fit: Fit) -> Ticking:
    from streams.insights.clusters import challenge_on  # noqa: PLC0415 - as above

    return replace(work, fit=challenge_on(_sample(state), fit, DISTANCES_MAX))


def _sample(state: Partition) -> NDArray[np.float64]:
    sample: Sample = state.get(SAMPLE)
    return np.frombuffer(sample.vectors, np.float64).reshape(-1, len(FEATURES))


def _publish(state: Partition, work: Ticking, cuts: Measured, effects: InsightEffects) -> None:
    if cuts.model is not None:
        state.put(CUTS, Cuts(cuts.model), 0)
    both = (
        Published(TickedModel(kind=CUTS_KIND, version=cuts.version, reason=cuts.reason), cuts.model, "touchstream"),
        _clusters(state, work, f"clusters-{iso_date(work.time_ms, settings_of(work).zone)}", effects),
    )
    for published in both:
        if published.model is not None:
            _announce(published, published.model, work.time_ms, effects)
    history: History | None = state.get(HISTORY)
    effects.broadcast.append(
        ModelTick(
            time_ms=work.time_ms,
            models=tuple(published.ticked for published in both),
            panel_share_ppm=work.share_ppm,
            first_event_ms=0 if history is None else history.first_ms,
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
        clusters, restarted = clustering.challenged(clusters, _sample(state), work.fit)
        effects.cluster_restarts += restarted
    clusters = replace(clustering.numbered(clusters), version=version, learnt=0)
    state.put(CLUSTERS, clusters, 0)
    model = clustering.model_of(clusters, _vectors(state, work), version, work.time_ms)
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
