"""What one journal partition knows beside its customers: progress, settings and models."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from schemas.journal import RULES_3, RULES_4, CollectedTo, Configured, Hold, Imported, ModelChunk, ModelTick
from schemas.limits import MODELS_BYTES_MAX, SETTINGS_BYTES_MAX
from schemas.limits_of_quality import HOLDS_MAX
from schemas.refusal import Refusal
from state.codec import frame, open_version
from state.rules import raised_rules
from streams.flows.language.flow_set import FlowSet, compile_flows
from streams.flows.language.holds import with_holds
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.features import CLUSTERS_KIND, ClusterModel
from streams.profiles.scores import CUTS_KIND, FIXED, CutsModel, fixed_cuts
from streams.settings import DomainSettings, parse_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.journal import PartitionProgress, Progress
    from streams.profiles.profile import Profile

PARTITION_KEY = b"\x00partition"
VERSION = 5
_FIELDS = {1: (2, 8), 2: (3, 10), 3: (4, 11)}
"""By earlier rules: the version in which they write state, so that their releases still read it, and its fields."""
WHOLE_PPM = 1_000_000
IMPORTS_MAX = 100
"""Imports of which is known how far they came, each with less than 60 bytes."""
_ITEM_BYTES = 10
"""More than what is stored beside a text or a number."""


Times = tuple[int, ...]
"""By input partition, ms; -1: it has sent none yet."""


class PartitionState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The record under PARTITION_KEY."""

    progress: Times = ()
    is_waking: bool = False
    """A Wake of this partition is on its way."""
    settings: str = ""
    models: tuple[tuple[str, str, bytes], ...] = ()
    """(kind, version, body) as of the last tick."""
    chunks: tuple[tuple[str, str, int, bytes], ...] = ()
    """(kind, version, index, piece) of models whose tick has not come yet."""
    panel_share_ppm: int = WHOLE_PPM
    tick_ms: int = 0
    collected: Times = ()
    """What will be progress once all of it is folded. State of version 1 has none."""
    rules: int = 1
    """Number of the rules by which records are folded. State before version 3 has none."""
    waking_ms: int = 0
    """The time in the Wake that is on its way, from rules 2 on: another one is stale."""
    first_event_ms: int = 0
    """Where the shop's history begins, by event time, as ticks say from rules 3 on; 0: unknown. It only falls."""
    imports: tuple[tuple[str, int, int, bool], ...] = ()
    """The fields of the last `Imported` of each import, the one that spoke last last; before rules 4 empty."""
    holds: tuple[tuple[str, str, str], ...] = ()
    """(flow, cause, why) of flows that hold their messages, in order, from rules 4 on."""

    @property
    def now_ms(self) -> int | None:
        """Return the least progress of all inputs; None until each has sent its own."""
        least = min(self.progress, default=-1)
        return least if least >= 0 else None


class Knowledge(NamedTuple):
    """What decisions of this partition rest on, parsed."""

    settings: DomainSettings
    flows: FlowSet
    cuts: CutsModel | None
    clusters: ClusterModel | None
    panel_share_ppm: int
    watermark_ms: int | None
    """All that was received before then is folded, in every partition; None: not known of all inputs."""
    rules: int
    """Number of the rules by which records are folded."""
    bounds_times: bool
    """Whether what a record says of time is held against its append: by rules 2 and later, where time is the wall's."""
    first_event_ms: int
    """Where the shop's history begins; 0: unknown."""


@lru_cache(maxsize=8)
def _parsed_settings(text: str) -> tuple[DomainSettings, FlowSet]:
    settings = parse_domain(text)
    return settings, compile_flows(settings.flows, settings.flow_states, settings.reporting_time_zone)


@lru_cache(maxsize=8)
def _parsed_cuts(body: bytes) -> CutsModel:
    return msgspec.json.decode(body, type=CutsModel)


@lru_cache(maxsize=8)
def _parsed_clusters(body: bytes) -> ClusterModel:
    return msgspec.json.decode(body, type=ClusterModel)


@lru_cache(maxsize=64)
def knowledge(partition: PartitionState) -> Knowledge:
    """Parse what a partition knows; equal states give the same object."""
    settings, flows = _parsed_settings(partition.settings)
    bodies = model_bodies(partition)
    cuts = _parsed_cuts(bodies[CUTS_KIND]) if CUTS_KIND in bodies else None
    clusters = _parsed_clusters(bodies[CLUSTERS_KIND]) if CLUSTERS_KIND in bodies else None
    share_ppm, rules = partition.panel_share_ppm, partition.rules
    bounds_times = rules > 1 and settings.clock == "wall"
    first_ms = partition.first_event_ms
    if partition.holds:
        flows = with_holds(flows, {flow_id: why for flow_id, _, why in reversed(partition.holds)})
    return Knowledge(settings, flows, cuts, clusters, share_ppm, partition.now_ms, rules, bounds_times, first_ms)


def model_bodies(partition: PartitionState) -> dict[str, bytes]:
    """Return the models that hold, by kind."""
    return {kind: body for kind, _, body in partition.models}


def with_settings(partition: PartitionState, record: Configured) -> PartitionState:
    """Return the state with new settings; fixed cuts hold at once, under a version of their own.

    Raises:
        NewerState: as `raised_rules`.
        Refusal: they are larger than those that we publish.
    """
    rules = raised_rules(partition.rules, record)
    if rules > 1 and len(record.settings.encode()) > SETTINGS_BYTES_MAX:
        raise Refusal("too_large", f"the settings have more than {SETTINGS_BYTES_MAX} bytes")
    settings, _ = _parsed_settings(record.settings)
    progress = partition.progress or (-1,) * settings.touchpoint_partitions
    models = partition.models
    if settings.cuts_fixed is not None:
        body = fixed_cuts(settings.cuts_fixed, 0)
        others = tuple(model for model in models if model[0] != CUTS_KIND)
        models = (*others, (CUTS_KIND, FIXED, msgspec.json.encode(body)))
    return msgspec.structs.replace(partition, settings=record.settings, progress=progress, models=models, rules=rules)


def with_progress(partition: PartitionState, record: Progress) -> PartitionState:
    """Return the state with each input's progress, which never falls."""
    return msgspec.structs.replace(partition, progress=_advanced(partition.progress, record.partitions))


def with_collected(partition: PartitionState, record: CollectedTo) -> PartitionState:
    """Return the state with what each input has put in the journal, by time, which never falls."""
    before = partition.collected or (-1,) * len(partition.progress)
    return msgspec.structs.replace(partition, collected=_advanced(before, record.partitions))


def with_reset(partition: PartitionState, to_ms: int) -> PartitionState:
    """Return the state with time at `to_ms` where it is ahead of that."""
    return msgspec.structs.replace(
        partition,
        progress=tuple([min(time_ms, to_ms) for time_ms in partition.progress]),
        collected=tuple([min(time_ms, to_ms) for time_ms in partition.collected]),
        tick_ms=min(partition.tick_ms, to_ms),
        is_waking=False,
        waking_ms=0,
    )


def with_hold(partition: PartitionState, hold: Hold) -> PartitionState:
    """Return the state in which a flow holds its messages for a cause, or no longer does; rules 4 know holds.

    Raises:
        Refusal: more flows would hold theirs than can be published.
    """
    if partition.rules < RULES_4:
        return partition
    others = [held for held in partition.holds if held[:2] != (hold.flow_id, hold.cause)]
    if hold.is_on:
        others.append((hold.flow_id, hold.cause, hold.why))
    if len(others) > HOLDS_MAX:
        raise Refusal("too_many", f"{len(others)} flows would hold their messages; at most {HOLDS_MAX} are allowed")
    return msgspec.structs.replace(partition, holds=tuple(sorted(others)))


def _advanced(times: Times, reported: Iterable[PartitionProgress]) -> Times:
    advanced = list(times)
    for item in reported:
        if item.partition < len(advanced):
            advanced[item.partition] = max(advanced[item.partition], item.time_ms)
    return tuple(advanced)


def with_chunk(partition: PartitionState, chunk: ModelChunk) -> PartitionState:
    """Keep a piece of a model until its tick; a repeated piece changes nothing.

    Raises:
        Refusal: with it the pieces would have more bytes than our models.
    """
    piece = (chunk.kind, chunk.version, chunk.index, chunk.body)
    if piece in partition.chunks:
        return partition
    if partition.rules > 1:
        texts = [part for kind, version, _, body in (*partition.chunks, piece) for part in (kind, version, body)]
        texts += [part for model in partition.models for part in model]
        held = sum([len(each if isinstance(each, bytes) else each.encode()) + _ITEM_BYTES for each in texts])
        if held > MODELS_BYTES_MAX:
            raise Refusal("too_large", f"models would have {held} bytes; at most {MODELS_BYTES_MAX} are allowed")
    return msgspec.structs.replace(partition, chunks=(*partition.chunks, piece))


def with_tick(partition: PartitionState, tick: ModelTick) -> PartitionState:
    """Return the state with the tick's models: new ones from their pieces, and the others unchanged."""
    models = {kind: (kind, version, body) for kind, version, body in partition.models}
    for ticked in tick.models:
        pieces = sorted(
            (index, body)
            for kind, version, index, body in partition.chunks
            if kind == ticked.kind and version == ticked.version
        )
        if ticked.version is not None and pieces:
            models[ticked.kind] = (ticked.kind, ticked.version, b"".join(body for _, body in pieces))
    first_ms = partition.first_event_ms
    if tick.first_event_ms and partition.rules >= RULES_3:
        first_ms = min(first_ms or tick.first_event_ms, tick.first_event_ms)
    return msgspec.structs.replace(
        partition,
        models=tuple(models[kind] for kind in sorted(models)),
        chunks=(),
        panel_share_ppm=tick.panel_share_ppm,
        tick_ms=tick.time_ms,
        first_event_ms=first_ms,
    )


def with_import(partition: PartitionState, record: Imported) -> PartitionState:
    """Return the state with how far an import has come; of more than IMPORTS_MAX those that spoke first go."""
    others = [each for each in partition.imports if each[0] != record.import_id]
    last = (record.import_id, record.outcomes, record.landed, record.is_over)
    return msgspec.structs.replace(partition, imports=(*others, last)[-IMPORTS_MAX:])


LEARNT: dict[type, Callable[[PartitionState, Any], PartitionState]] = {
    CollectedTo: with_collected,
    Configured: with_settings,
    Imported: with_import,
    Hold: with_hold,
    ModelChunk: with_chunk,
    ModelTick: with_tick,
}
"""Records that only change what the partition knows, and how."""


class JournalCodec:
    """State bytes of a journal partition: profiles, and the partition's own record."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(PartitionState).decode

    def encode(self, key: bytes, value: Profile | PartitionState) -> bytes:  # noqa: ARG002 - the codec's protocol
        """Return the framed bytes of a profile or of the partition's own record."""
        if isinstance(value, PartitionState):
            if value.rules in _FIELDS:
                version, fields = _FIELDS[value.rules]
                return frame(version, 0, self._encode(msgspec.structs.astuple(value)[:fields]))
            return frame(VERSION, 0, self._encode(value))
        return encode_profile(value)

    def decode(self, key: bytes, value: bytes) -> Profile | PartitionState:
        """Return the value in framed bytes.

        Raises:
            NewerState: written by a later release.
        """
        if key != PARTITION_KEY:
            return decode_profile(value)
        _, payload = open_version(value, VERSION, "the state of a journal partition")
        return self._decode(payload)
