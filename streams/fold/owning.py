"""One order, one owner: profiles send an order's entry what they know, and the entry answers whose the order is.

A profile counts an order at once. Where another one owns it, what it counted is taken out again. The owner gets all
that happened to the order, under whatever keys that came in. Profiles and entry say the same things again when a
record comes in late, so that the end does not depend on the order of arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import OrderOwned, OrderTold, ToldChange
from schemas.limits import CLAIMS_MAX
from schemas.units import DAY_MS
from streams.attribution.settling import with_owners_credit
from streams.flows.runtime.pending import without_unmet
from streams.fold.order_ends import after_changes
from streams.fold.ordering import count_difference, count_first_order, of_its_source, within_months
from streams.fold.scoring import publish_changes, rescored
from streams.profiles.claims import (
    bounded_changes,
    entry_key,
    is_of_a_month,
    named_by,
    owner_of,
    with_claim,
    with_claim_moved,
    with_id_noted,
    with_refused,
    without_order,
)
from streams.profiles.effects import hash_64
from streams.profiles.keys import is_device, is_entry, is_user
from streams.profiles.links import HOPS_MAX, HOPS_OF_USERS_MAX
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import (
    TAKING_BACK,
    change_of,
    is_settled,
    state_of,
    united_changes,
    with_unsettled,
    without_settled,
)
from streams.profiles.order_entry import Claim, OrderEntry
from streams.profiles.orders import histories_of, history_of, with_history

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.order_changes import Changes
    from streams.profiles.profile import Profile

ENTRY_KEPT_MS: Final = 180 * DAY_MS
"""How long an order's entry and a guest's order are kept after the last that came in of them."""
_replace = msgspec.structs.replace


def tell(profile: Profile, event: Touchpoint, at: FoldMoment) -> None:
    """Send the entry of an event's order what the profile now knows of it."""
    order = event.order
    if order is None:
        return
    id_hash = hash_64(order.order_id)
    history = history_of(profile, id_hash)
    change = change_of(event, at.settings.reporting_currency, at.rules) if is_settled(history) else None
    if change is not None:
        history = with_unsettled(history, of_its_source(change, event, history, at))
    told = OrderTold(
        order_id=order.order_id,
        customer=at.customer,
        moved_from="",
        event_id=event.event_id,
        is_completion=event.type not in TAKING_BACK,
        is_server=event.source in at.settings.server_sources,
        has_address=event.email_hash is not None,
        time_ms=at.now_ms,
        changes=_told(history),
    )
    at.effects.append(entry_key(id_hash), told)


def tell_moved(profile: Profile, absorbed: Profile, source: str, at: FoldMoment) -> None:
    """Send the entries of an absorbed profile's orders who has them now; `profile` is that after the merge."""
    for order, history in _orders_of(absorbed, profile):
        _tell_moved(order, (source, at.customer), history, at)


def tell_moved_back(profile: Profile, survivor: str, at: FoldMoment) -> None:
    """Send the entries of the orders of a user whose merge was undone that they are theirs again."""
    for order, history in _orders_of(profile, profile):
        if history:
            _tell_moved(order, (survivor, at.customer), history, at)


def _orders_of(owner: Profile, knowing: Profile) -> Iterator[tuple[tuple[str, int], Changes]]:
    """Return each order of a profile, (id, hash of the id), and what another one knows of it.

    Of an order whose credit is closed a profile knows only the hash of its id.
    """
    order_ids = [conversion.order_id for conversion in owner.conversions]
    names = {hash_64(order_id): order_id for order_id in (*order_ids, *owner.unmatched_ids)}
    hashes = [order.id_hash for order in owner.orders]
    hashes += [change.order_hash for change in owner.changes if change.order_hash]
    for id_hash, history in histories_of(knowing, dict.fromkeys((*names, *hashes))).items():
        yield (names.get(id_hash, ""), id_hash), history


def send_on(owned: OrderOwned, target: str, at: FoldMoment) -> None:
    """Have the entry answer the profile that absorbed this one, so that no answer overtakes another."""
    if owned.owner != target and owned.hops < (HOPS_OF_USERS_MAX if is_user(at.customer) else HOPS_MAX):
        order = owned.order_id, hash_64(owned.order_id)
        _tell_moved(order, (at.customer, target), (), at, owned.hops + 1)


def _tell_moved(order: tuple[str, int], keys: tuple[str, str], history: Changes, at: FoldMoment, hops: int = 0) -> None:
    """Send the entry of an order, (id or empty, hash of the id), that one profile is now another's."""
    (order_id, id_hash), (source, target) = order, keys
    told = OrderTold(
        order_id=order_id,
        customer=target,
        moved_from=source,
        event_id="",
        is_completion=False,
        is_server=False,
        has_address=False,
        time_ms=at.now_ms,
        changes=_told(history),
        hops=hops,
        order_hash=0 if order_id else id_hash,
    )
    at.effects.append(entry_key(id_hash), told)


def fold_told(profile: Profile, told: OrderTold, at: FoldMoment) -> Profile:
    """Return an order's entry with what a profile knows of the order, and answer those concerned."""
    before, order_id = profile.order_entry, told.order_id
    changes = _changes(told.changes, hash_64(order_id) if order_id else told.order_hash)
    if before is None and not told.moved_from:
        # as nearly all: the first that is known of an order
        after = OrderEntry((_claim(told),), changes, order_id)
    else:
        known, claims = (before.changes, before.claims) if before is not None else ((), ())
        is_first = not any(each.customer in (told.customer, told.moved_from) for each in claims)
        # else it has sent one by one what it has settled since
        learnt = changes if is_first else without_settled(changes)
        if told.moved_from:
            is_refund = state_of(changes) is None
            claims = with_claim_moved(
                claims, told.moved_from, told.customer, is_known=bool(changes), is_refund=is_refund
            )
        else:
            claims = with_claim(claims, _claim(told))
        if not claims:
            return profile
        if before is not None:
            order_id = order_id or before.order_id
        after = OrderEntry(claims, bounded_changes(united_changes(known, learnt)), order_id)
        refused = _answer((before, after), changes, told, at, is_first=is_first)
        if refused:
            after = _replace(after, claims=with_refused(claims, refused))
    expires_ms = max(profile.expires_ms, at.now_ms + ENTRY_KEPT_MS)
    return _replace(profile, clock_ms=at.now_ms, order_entry=after, expires_ms=expires_ms)


def _claim(told: OrderTold) -> Claim:
    return Claim(
        is_refund=not told.is_completion,
        named=named_by(told.customer, has_address=told.has_address),
        is_browser=not told.is_server,
        event_id=told.event_id,
        customer=told.customer,
        as_user=(not told.is_server, told.event_id),
    )


def _answer(
    entries: tuple[OrderEntry | None, OrderEntry], changes: Changes, told: OrderTold, at: FoldMoment, *, is_first: bool
) -> set[str]:
    """Send an owner what they do not know yet, and others that they own nothing; return these.

    `entries` are that before and that after the record, whose sender knows `changes`. With `is_first` the sender was
    never sent anything.
    """
    before, after = entries
    if not after.order_id:
        return set()
    first = after.claims[0]
    owner, was = first.customer, owner_of(before)
    has_changed = was is not None and was != owner
    refused = {told.customer} - {owner} if changes or _may_claim(after, told.customer) else set()
    if was is not None and has_changed and (was != told.moved_from or is_device(was)):
        # after a logout, a device may have the order again, or still get the answer that it owns it
        refused.add(was)
    if before is not None and not before.order_id:
        refused |= {each.customer for each in after.claims} - {owner}  # nobody could be answered until now
    for customer in sorted(refused):
        _send(customer, (after.order_id, owner), (), told, at)
    known = set(before.changes) if before is not None else set()
    if told.customer == owner:
        lacks = first.was_refused or not set(after.changes) <= set(changes)
        is_new = has_changed and was != told.moved_from
        known = set(changes) if is_first else set(after.changes)
    else:
        lacks, is_new = before is None or before.changes != after.changes, has_changed
    if lacks or is_new:
        news = [each for each in after.changes if each not in known]
        _send(owner, (after.order_id, owner), _told(after.changes, news), told, at)
    return refused


def _may_claim(entry: OrderEntry, customer: str) -> bool:
    """Return whether a profile that said only of a move may count the order: else it gets it later, if ever."""
    return len(entry.claims) >= CLAIMS_MAX or any(each.customer == customer for each in entry.claims)


def _send(
    customer: str, owned: tuple[str, str], changes: tuple[ToldChange, ...], told: OrderTold, at: FoldMoment
) -> None:
    """Send a profile an order's (id, owner)."""
    order_id, owner = owned
    cause = f"owner:{told.event_id or told.moved_from}"
    at.effects.append(customer, OrderOwned(order_id, owner, cause, changes, told.hops))


def fold_owned(profile: Profile, owned: OrderOwned, at: FoldMoment) -> Profile:
    """Return a profile in which an order counts with all that happened to it, or no longer, if another one owns it.

    Who has settled an order takes only what is new to them, as the rest may be what they have settled.
    """
    order_id, id_hash = owned.order_id, hash_64(owned.order_id)
    before, told = history_of(profile, id_hash), owned.changes
    if is_settled(before):
        told = tuple([each for each in told if each.is_new])
    given = _changes(told, id_hash)
    is_mine = owned.owner == at.customer
    if is_mine and is_of_a_month(profile, id_hash, given):
        return profile
    after = united_changes(before, given) if is_mine else ()
    if not is_mine and not before:
        return profile
    count_difference((before,), after, at)
    changed = within_months(with_history(profile, id_hash, after)) if is_mine else without_order(profile, id_hash)
    changed = with_id_noted(changed, order_id, after)
    count_first_order(profile, changed, at)
    changed = with_owners_credit(changed, order_id, (before, after), at)
    if is_entry(at.customer):
        return changed
    changed = after_changes(changed, before, after, at)
    changed = without_unmet(rescored(changed, at), at.now_ms, at.known.flows, at)
    publish_changes(profile, changed, at)
    return changed


def _told(changes: Changes, news: Container[OrderChange] = ()) -> tuple[ToldChange, ...]:
    return tuple(
        [
            ToldChange(each.time_ms, each.id_hash, each.minor, each.kind, each.currency, each.is_browser, each in news)
            for each in bounded_changes(changes)
        ]
    )


def _changes(told: tuple[ToldChange, ...], id_hash: int) -> Changes:
    changes = tuple(
        [
            OrderChange(each.time_ms, each.id_hash, id_hash, each.minor, each.kind, each.currency, each.is_browser)
            for each in told
        ]
    )
    return changes if len(changes) == 1 else united_changes(changes)
