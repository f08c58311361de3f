"""Checks of models in the journal, which come from the insights of a prefix, or from a foreign hand."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from schemas.limits import MODEL_BYTES_MAX, MODEL_CHUNKS_MAX, TEXT_BYTES_MAX, TIME_MS_MAX, TIME_MS_MIN
from streams.collect.hiding import shown
from streams.fold.moment import Rejected
from streams.fold.partition_state import WHOLE_PPM, model_bodies, with_tick
from streams.profiles.features import CLUSTERS_KIND, FEATURES, ClusterModel
from streams.profiles.scores import CUTS_KIND, CutsModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.journal import ModelChunk, ModelTick
    from streams.fold.partition_state import PartitionState

_KIND_SHOWN_MAX = 40
"""Characters of a model's kind that a dead letter's detail shows."""
_AMOUNT_MAX = 1 << 53


def check_chunk(chunk: ModelChunk, _: PartitionState) -> None:
    """Check a piece of a model.

    Raises:
        Rejected: none of ours would look like it.
    """
    if (
        not 0 <= chunk.index < chunk.count <= MODEL_CHUNKS_MAX
        or len(chunk.version.encode()) > TEXT_BYTES_MAX
        or len(chunk.body) > MODEL_BYTES_MAX
    ):
        kind = shown(chunk.kind, _KIND_SHOWN_MAX)
        raise Rejected(
            "bad_model", f"piece {chunk.index} of {chunk.count} of a model {kind} with {len(chunk.body)} bytes"
        )


def check_tick(tick: ModelTick, partition: PartitionState) -> None:
    """Check the record with which models begin to hold.

    Raises:
        Rejected: one of them cannot be used.
    """
    if not 0 <= tick.panel_share_ppm <= WHOLE_PPM:
        raise Rejected("bad_model", f"the share of the panel is {tick.panel_share_ppm} millionths")
    if partition.rules >= RULES_3 and tick.first_event_ms and not TIME_MS_MIN <= tick.first_event_ms <= TIME_MS_MAX:
        raise Rejected("bad_model", f"the first event is of {tick.first_event_ms}")
    for kind, body in model_bodies(with_tick(partition, tick)).items():
        try:
            is_usable = _MODELS[kind](body)
        except (KeyError, ValueError, msgspec.MsgspecError):
            is_usable = False
        if not is_usable:
            raise Rejected("bad_model", f"the model {shown(kind, _KIND_SHOWN_MAX)} cannot be used")


def _is_of_cuts(body: bytes) -> bool:
    cuts = msgspec.json.decode(body, type=CutsModel)
    amounts = (*cuts.recency_ms, *cuts.frequency, *cuts.monetary_minor)
    return len(cuts.version.encode()) <= TEXT_BYTES_MAX and all(0 <= each <= _AMOUNT_MAX for each in amounts)


def _is_of_clusters(body: bytes) -> bool:
    model = msgspec.json.decode(body, type=ClusterModel)
    rows = (model.mean, model.scale, *model.centres)
    return (
        len(model.version.encode()) <= TEXT_BYTES_MAX
        and len(model.centres) == len(model.numbers) > 0
        and all(len(row) == len(FEATURES) and all(map(isfinite, row)) for row in rows)
        and all(each > 0 for each in model.scale)
        and all(0 <= number <= _AMOUNT_MAX for number in model.numbers)
    )


_MODELS: dict[str, Callable[[bytes], bool]] = {CUTS_KIND: _is_of_cuts, CLUSTERS_KIND: _is_of_clusters}
