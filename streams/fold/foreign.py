"""Records of our own types that someone else wrote: refused where they would stop a partition, mislead it or swell it.

Only who has a grant on the journal can write one. Checks hold from rules 2 on, so an older journal folds as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.journal import (
    HOLD_CAUSES,
    RULES_4,
    Absorbed,
    AddressConsent,
    AddressNotice,
    CollectedTo,
    Configured,
    Hold,
    Imported,
    Landed,
    Link,
    ModelChunk,
    ModelTick,
    OrderOwned,
    OrderTold,
    Progress,
    Recall,
    SlotAnswered,
    SlotAsked,
    SlotsDue,
    ToldChange,
    UndoMerge,
    Unlink,
)
from schemas.limits import (
    AT_MOST_MAX,
    CAUSE_BYTES_MAX,
    CHANGES_OF_AN_ORDER_MAX,
    KEY_BYTES_MAX,
    MINOR_MAX,
    TEXT_BYTES_MAX,
    TIME_MS_MAX,
    TIME_MS_MIN,
)
from schemas.limits_of_quality import WHY_HELD_BYTES_MAX
from state.codec import NewerState
from streams.collect.hiding import shown
from streams.collect.sizes import check_sizes
from streams.flows.language.published import fault_of
from streams.flows.runtime.asking import is_ours
from streams.fold.addressing import KINDS as NOTICES
from streams.fold.addressing import LISTINGS
from streams.fold.foreign_models import check_chunk, check_tick
from streams.fold.moment import Rejected
from streams.profiles.answered import CONSENT_CHANNELS
from streams.profiles.codec import decode_profile
from streams.profiles.joins import GONE, USERS_OF_A_PERSON_MAX
from streams.profiles.keys import ADDRESS, DEVICE, ORDER, SPEND, USER, is_address, is_entry, is_user
from streams.profiles.order_changes import REFUNDED_WHOLE, SETTLED
from streams.profiles.statement import WHO_BYTES_MAX, WHY_BYTES_MAX
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.fold.partition_state import PartitionState
    from streams.fold.record import Record
    from streams.profiles.profile import Profile

_KINDS: Final[tuple[str, ...]] = (USER, DEVICE, ADDRESS, ORDER, SPEND)
_CURRENCY_CHARS: Final = {0, 3}
"""Of a currency's code; the reporting currency's is left out."""
_SHORT: Final = KEY_BYTES_MAX // 4
_SHOWN_MAX: Final = 40
"""Characters of a value that a dead letter's detail shows."""
_HASH_CHARS: Final = 64
_IMPORT_ID_CHARS: Final = 32
_OUTCOMES_MAX: Final = 1 << 48
_OF_PEOPLE = (Link, Unlink, Absorbed, UndoMerge, AddressConsent, AddressNotice, SlotAnswered, Landed)
"""What neither an order nor a channel gets; there it would stay for ever."""
_OF_ADDRESSES = (SlotAsked, SlotsDue)
"""What only an address gets."""
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
    if partition.rules >= RULES_4 and isinstance(record.value, _OF_PEOPLE) and is_entry(record.key):
        raise bad_key(record.key)
    if isinstance(record.value, _OF_ADDRESSES) and not is_address(record.key):
        raise bad_key(record.key)
    check = _CHECKS.get(type(record.value))
    if check is not None:
        check(record.value, partition)


def bad_key(key: str) -> Rejected:
    return Rejected("bad_key", f"the key {_shown(key)} is of no customer, address, order or channel")


def absorbed_profile(absorbed: Absorbed | UndoMerge) -> Profile:
    """Return the profile of a device that its user absorbs, or that the undo of a merge divides.

    Raises:
        Rejected: the bytes are no profile of this release. Until the rules rise, none writes newer ones.
    """
    try:
        return decode_profile(absorbed.profile)
    except (NewerState, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Rejected("bad_profile", f"the profile of {_shown(absorbed.source)} cannot be read: {error}") from None


def _check_import(record: Imported | Landed, partition: PartitionState) -> None:
    is_ours = 0 < len(record.import_id) <= _IMPORT_ID_CHARS and record.import_id.isascii()
    if isinstance(record, Imported):
        is_ours = is_ours and 0 <= record.outcomes <= _OUTCOMES_MAX and 0 <= record.landed <= _OUTCOMES_MAX
    if partition.rules < RULES_4 or not is_ours:
        raise Rejected("no_import", f"the import {_shown(record.import_id)} is none of ours")


def _check_times(value: Progress | CollectedTo, partition: PartitionState) -> None:
    inputs = len(partition.progress)
    for item in value.partitions:
        if not 0 <= item.partition < inputs:
            raise Rejected("unknown_partition", f"there is no partition {item.partition} of touchpoints, only {inputs}")


def _check_link(link: Link, _: PartitionState) -> None:
    is_ours = is_key(link.target) and GONE <= link.users <= USERS_OF_A_PERSON_MAX
    if not is_ours or len(link.cause.encode()) > CAUSE_BYTES_MAX:
        raise Rejected("bad_link", f"it links to {_shown(link.target)}")


def _check_unlink(unlink: Unlink, _: PartitionState) -> None:
    is_known = is_key(unlink.target) and (not unlink.survivor or is_user(unlink.survivor))
    if not is_known or len(unlink.cause.encode()) > CAUSE_BYTES_MAX or len(unlink.survivor.encode()) > KEY_BYTES_MAX:
        raise Rejected("bad_link", f"it ends the link to {_shown(unlink.target)}")


def _check_consent(consent: AddressConsent, _: PartitionState) -> None:
    if consent.channel not in CONSENT_CHANNELS or len(consent.cause.encode()) > CAUSE_BYTES_MAX:
        raise Rejected("no_consent", f"the channel is {_shown(consent.channel)}: allowed is {sorted(CONSENT_CHANNELS)}")


def _check_recall(recall: Recall, _: PartitionState) -> None:
    if max(len(recall.after_key), len(recall.to_key)) > KEY_BYTES_MAX:
        raise Rejected("bad_key", f"a customer's key has at most {KEY_BYTES_MAX} bytes")
    if not all(0 <= time_ms <= TIME_MS_MAX for time_ms in (recall.after_ms, recall.to_ms, recall.until_ms)):
        raise Rejected("bad_recall", f"it goes from {recall.after_ms} to {recall.to_ms}")


def _check_hold(hold: Hold, partition: PartitionState) -> None:
    is_ours = partition.rules >= RULES_4 and hold.cause in HOLD_CAUSES and _is_time(hold.time_ms)
    if not is_ours or not 0 < len(hold.flow_id) <= _HASH_CHARS or len(hold.why.encode()) > WHY_HELD_BYTES_MAX:
        raise Rejected("bad_hold", f"flow {_shown(hold.flow_id)} is held by {_shown(hold.cause)}")


def _check_notice(notice: AddressNotice, partition: PartitionState) -> None:
    texts = (notice.purpose, notice.source, notice.address, notice.only_flow)
    is_ours = partition.rules >= RULES_4 and notice.kind in NOTICES and 0 <= notice.at_most <= AT_MOST_MAX
    is_ours = is_ours and len(notice.why.encode()) <= WHY_BYTES_MAX and _may_be_listing(notice)
    if not is_ours or len(notice.cause.encode()) > CAUSE_BYTES_MAX or max(map(len, texts)) > _HASH_CHARS:
        raise Rejected("no_notice", f"the notice is of kind {notice.kind[:40]!r}: allowed is {sorted(NOTICES)}")


def _may_be_listing(notice: AddressNotice) -> bool:
    is_named = bool(notice.address) and len(notice.source.encode()) <= WHO_BYTES_MAX
    return is_named or notice.kind not in LISTINGS


def _check_told(told: OrderTold, _: PartitionState) -> None:
    if not is_key(told.customer) or not (is_key(told.moved_from) or not told.moved_from):
        raise bad_key(told.customer)
    if len(told.event_id.encode()) > TEXT_BYTES_MAX:
        raise Rejected("bad_order", f"the event id {told.event_id[:40]!r} is too long")
    if bool(told.order_id) is bool(told.order_hash):
        raise Rejected("bad_order", "an order has either an id or only its hash")
    _check_changes(told.order_id or "-", told.changes)


def _check_owned(owned: OrderOwned, _: PartitionState) -> None:
    if not is_key(owned.owner) or len(owned.cause.encode()) > CAUSE_BYTES_MAX:
        raise bad_key(owned.owner)
    _check_changes(owned.order_id, owned.changes)


def _check_asked(asked: SlotAsked, _: PartitionState) -> None:
    if not is_key(asked.customer):
        raise bad_key(asked.customer)
    if not is_ours(asked):
        raise Rejected("bad_slot", f"a message of kind {_shown(asked.kind)} is none of ours")


def _check_changes(order_id: str, changes: tuple[ToldChange, ...]) -> None:
    are_ours = len(changes) <= CHANGES_OF_AN_ORDER_MAX and all(
        SETTLED <= each.kind <= REFUNDED_WHOLE
        and 0 <= each.minor <= MINOR_MAX
        and _is_time(each.time_ms)
        and len(each.currency) in _CURRENCY_CHARS
        for each in changes
    )
    if not are_ours or not 0 < len(order_id.encode()) <= TEXT_BYTES_MAX:
        raise Rejected("bad_order", f"the order {order_id[:40]!r} has {len(changes)} changes that are none of ours")


def _check_absorbed(absorbed: Absorbed, _: PartitionState) -> None:
    if not is_key(absorbed.source):
        raise bad_key(absorbed.source)


def _check_undo(undo: UndoMerge, partition: PartitionState) -> None:
    is_ours = is_user(undo.source) and is_key(undo.source) and bool(undo.profile) if undo.source else not undo.profile
    if partition.rules < RULES_4 or not is_ours or max(len(undo.why), len(undo.by)) > TEXT_BYTES_MAX:
        raise Rejected("not_undone", f"nobody undoes a merge with {_shown(undo.source)} like that")


def _shown(text: str) -> str:
    return shown(text, _SHOWN_MAX)


def _is_time(time_ms: int) -> bool:
    return TIME_MS_MIN <= time_ms <= TIME_MS_MAX


_CHECKS: dict[type, Callable[[Any, PartitionState], None]] = {
    Progress: _check_times,
    CollectedTo: _check_times,
    Link: _check_link,
    Unlink: _check_unlink,
    AddressConsent: _check_consent,
    AddressNotice: _check_notice,
    Absorbed: _check_absorbed,
    UndoMerge: _check_undo,
    OrderTold: _check_told,
    OrderOwned: _check_owned,
    SlotAsked: _check_asked,
    ModelChunk: check_chunk,
    ModelTick: check_tick,
    Recall: _check_recall,
    Imported: _check_import,
    Landed: _check_import,
    Hold: _check_hold,
}
