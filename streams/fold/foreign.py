"""Records of our own types that someone else wrote: refused where they would stop a partition, mislead it or swell it.

Only who has a grant on the journal can write one. Checks hold from rules 2 on, so an older journal folds as before.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.journal import (
    RULES_3,
    Absorbed,
    AddressConsent,
    CollectedTo,
    Configured,
    Link,
    ModelChunk,
    ModelTick,
    Progress,
    Recall,
)
from schemas.limits import (
    CAUSE_BYTES_MAX,
    KEY_BYTES_MAX,
    MODEL_BYTES_MAX,
    MODEL_CHUNKS_MAX,
    TEXT_BYTES_MAX,
    TIME_MS_MAX,
    TIME_MS_MIN,
)
from state.codec import NewerState
from streams.collect.hiding import shown
from streams.collect.sizes import check_sizes
from streams.flows.language.published import fault_of
from streams.fold.moment import Rejected
from streams.fold.partition_state import WHOLE_PPM, model_bodies, with_tick
from streams.profiles.answered import CONSENT_CHANNELS
from streams.profiles.codec import decode_profile
from streams.profiles.features import CLUSTERS_KIND, FEATURES, ClusterModel
from streams.profiles.keys import ADDRESS, DEVICE, ORDER, SPEND, USER
from streams.profiles.scores import CUTS_KIND, CutsModel
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.fold.partition_state import PartitionState
    from streams.fold.record import Record
    from streams.profiles.profile import Profile

_KINDS: Final[tuple[str, ...]] = (USER, DEVICE, ADDRESS, ORDER, SPEND)
_SHORT: Final = KEY_BYTES_MAX // 4
_SHOWN_MAX: Final = 40
"""Characters of a value that a dead letter's detail shows."""
_AMOUNT_MAX = 1 << 53
_FIXED_FOR_LIFE = ("clock", "touchpoint_partitions", "journal_partitions")


def is_key(key: str) -> bool:
    """Return whether collect gives such keys: a known kind, an id, and not too long."""
    size = len(key)
    if size > _SHORT:
        size = len(key.encode(errors="replace"))
    return key.startswith(_KINDS) and size <= KEY_BYTES_MAX


def check_settings(record: Configured, partition: PartitionState) -> None:
    """Check settings, whatever the rules are: no release can use broken ones.

    Raises:
        Rejected: they are broken, or change what is fixed for the life of the prefix.
    """
    fault = fault_of(record.settings)
    if fault is not None:
        raise Rejected("bad_settings", fault)
    settings = parse_domain(record.settings)
    if partition.rules == 1 or not partition.settings:
        return
    held = parse_domain(partition.settings)
    for name in _FIXED_FOR_LIFE:
        if getattr(settings, name) != getattr(held, name):
            raise Rejected("bad_settings", f"{name} is fixed for the life of a prefix")


def check_touchpoint(key: str, record: Record) -> None:
    """Check a touchpoint, which collect has checked if it came through the door.

    Raises:
        Refusal: none of ours would look like it.
    """
    if not is_key(key):
        raise bad_key(key)
    if len(record.raw) > TEXT_BYTES_MAX:
        check_sizes(record.value)


def check_record(record: Record, partition: PartitionState) -> None:
    """Check any record but a touchpoint.

    Raises:
        Rejected: none of ours would look like it.
    """
    if record.is_of_customer and not is_key(record.key):
        raise bad_key(record.key)
    check = _CHECKS.get(type(record.value))
    if check is not None:
        check(record.value, partition)


def bad_key(key: str) -> Rejected:
    return Rejected("bad_key", f"the key {_shown(key)} is of no customer, address, order or channel")


def absorbed_profile(absorbed: Absorbed) -> Profile:
    """Return the profile of a device that its user absorbs.

    Raises:
        Rejected: the bytes are no profile of this release. Until the rules rise, none writes newer ones.
    """
    try:
        return decode_profile(absorbed.profile)
    except (NewerState, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Rejected("bad_profile", f"the profile of {_shown(absorbed.source)} cannot be read: {error}") from None


def _check_times(value: Progress | CollectedTo, partition: PartitionState) -> None:
    inputs = len(partition.progress)
    for item in value.partitions:
        if not 0 <= item.partition < inputs:
            raise Rejected("unknown_partition", f"there is no partition {item.partition} of touchpoints, only {inputs}")


def _check_link(link: Link, _: PartitionState) -> None:
    if not is_key(link.target) or len(link.cause.encode()) > CAUSE_BYTES_MAX:
        raise Rejected("bad_link", f"it links to {_shown(link.target)}")


def _check_consent(consent: AddressConsent, _: PartitionState) -> None:
    if consent.channel not in CONSENT_CHANNELS or len(consent.cause.encode()) > CAUSE_BYTES_MAX:
        raise Rejected("no_consent", f"the channel is {_shown(consent.channel)}: allowed is {sorted(CONSENT_CHANNELS)}")


def _check_recall(recall: Recall, _: PartitionState) -> None:
    if max(len(recall.after_key), len(recall.to_key)) > KEY_BYTES_MAX:
        raise Rejected("bad_key", f"a customer's key has at most {KEY_BYTES_MAX} bytes")
    if not all(0 <= time_ms <= TIME_MS_MAX for time_ms in (recall.after_ms, recall.to_ms, recall.until_ms)):
        raise Rejected("bad_recall", f"it goes from {recall.after_ms} to {recall.to_ms}")


def _check_absorbed(absorbed: Absorbed, _: PartitionState) -> None:
    if not is_key(absorbed.source):
        raise bad_key(absorbed.source)


def _check_chunk(chunk: ModelChunk, _: PartitionState) -> None:
    if (
        not 0 <= chunk.index < chunk.count <= MODEL_CHUNKS_MAX
        or len(chunk.version.encode()) > TEXT_BYTES_MAX
        or len(chunk.body) > MODEL_BYTES_MAX
    ):
        what = f"piece {chunk.index} of {chunk.count} of a model {_shown(chunk.kind)} with {len(chunk.body)} bytes"
        raise Rejected("bad_model", what)


def _check_tick(tick: ModelTick, partition: PartitionState) -> None:
    if not 0 <= tick.panel_share_ppm <= WHOLE_PPM:
        raise Rejected("bad_model", f"the share of the panel is {tick.panel_share_ppm} millionths")
    if partition.rules >= RULES_3 and tick.first_event_ms and not _is_time(tick.first_event_ms):
        raise Rejected("bad_model", f"the first event is of {tick.first_event_ms}")
    for kind, body in model_bodies(with_tick(partition, tick)).items():
        try:
            is_usable = _MODELS[kind](body)
        except (KeyError, ValueError, msgspec.MsgspecError):
            is_usable = False
        if not is_usable:
            raise Rejected("bad_model", f"the model {_shown(kind)} cannot be used")


def _shown(text: str) -> str:
    return shown(text, _SHOWN_MAX)


def _is_time(time_ms: int) -> bool:
    return TIME_MS_MIN <= time_ms <= TIME_MS_MAX


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
_CHECKS: dict[type, Callable[[Any, PartitionState], None]] = {
    Progress: _check_times,
    CollectedTo: _check_times,
    Link: _check_link,
    AddressConsent: _check_consent,
    Absorbed: _check_absorbed,
    ModelChunk: _check_chunk,
    ModelTick: _check_tick,
    Recall: _check_recall,
}
