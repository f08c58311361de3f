"""Who owns an order: a function of the set of events by which profiles know it, in whatever order they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from xxhash import xxh3_128_hexdigest

from schemas.limits import CHANGES_OF_AN_ORDER_MAX, CLAIMS_MAX, TEXT_BYTES_MAX
from streams.profiles import keys
from streams.profiles.bounds import bounded_ids
from streams.profiles.effects import hash_64
from streams.profiles.order_changes import COMPLETED, state_of, united_changes
from streams.profiles.order_entry import Claim, OrderEntry
from streams.profiles.orders import find_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.order_changes import Changes
    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings

USER: Final = 0
ADDRESS: Final = 1
DEVICE: Final = 2
NOBODY: Final = 3

_SEPARATOR: Final = "/"
_UNSIGNED_64: Final = (1 << 64) - 1


def id_in_shop(order_id: str, shop: str) -> str:
    """Return an order's id with its shop before it; beyond TEXT_BYTES_MAX bytes, xxh3-128 of the id."""
    whole = f"{shop}{_SEPARATOR}{order_id}"
    if len(whole.encode()) > TEXT_BYTES_MAX:
        return f"{shop}{_SEPARATOR}{xxh3_128_hexdigest(order_id.encode())}"
    return whole


def in_its_shop(event: Touchpoint, settings: DomainSettings) -> Touchpoint:
    """Return an event whose order id has its shop before it; the same object if that is the default one."""
    order = event.order
    if order is None or event.source not in settings.shops:
        return event
    order_id = id_in_shop(order.order_id, settings.shops[event.source])
    return msgspec.structs.replace(event, order=msgspec.structs.replace(order, order_id=order_id))


def plain_id(order_id: str, settings: DomainSettings) -> str:
    """Return the id of an order as its customer knows it."""
    shop, separator, rest = order_id.partition(_SEPARATOR)
    return rest if separator and settings.shops and shop in settings.shops.values() else order_id


def entry_key(id_hash: int) -> str:
    """Return the key of an order's entry, by the hash of its id: a profile knows no more of most of its orders."""
    return f"{keys.ORDER}{_SEPARATOR}{id_hash & _UNSIGNED_64:016x}"


def named_by(customer: str, *, has_address: bool) -> int:
    """Return whom an event names that was folded under a key."""
    if keys.is_user(customer):
        return USER
    if has_address:
        return ADDRESS
    return DEVICE if keys.is_device(customer) else NOBODY


def with_claim(claims: tuple[Claim, ...], claim: Claim) -> tuple[Claim, ...]:
    """Return the claims with one more, the best of each profile, in order; the best CLAIMS_MAX."""
    best = {each.customer: each for each in claims}
    before = best.get(claim.customer)
    united = claim if before is None else _united(before, claim)
    if united == before:
        return claims
    best[claim.customer] = united
    return tuple(sorted(best.values(), key=_rank)[:CLAIMS_MAX])


def with_claim_moved(
    claims: tuple[Claim, ...], source: str, customer: str, *, is_known: bool, is_refund: bool = False
) -> tuple[Claim, ...]:
    """Return the claims after `customer` has absorbed the profile `source`, whose claim is now theirs.

    A profile may know an order since before there were claims, or its claim has gone on to another survivor before.
    Then the claim is of an unknown event, which is the last among its like, so that it never beats the claim itself.
    """
    moved = next((each for each in claims if each.customer == source), None)
    named = named_by(customer, has_address=moved is not None and moved.named <= ADDRESS)
    if moved is None:
        if not is_known or any(each.customer == customer for each in claims):
            return claims
        moved = Claim(is_refund, named, True, "", source, (True, ""))  # noqa: FBT003 - the order of its fields
    others = tuple([each for each in claims if each is not moved])
    (is_browser, event_id), as_before = moved.as_user, (moved.is_browser, moved.event_id)
    if named != USER:
        is_browser, event_id = as_before
    claim = Claim(moved.is_refund, named, is_browser, event_id, customer, moved.as_user, moved.was_refused)
    return with_claim(others, claim)


def with_refused(claims: tuple[Claim, ...], customers: set[str]) -> tuple[Claim, ...]:
    """Return the claims with those of profiles marked that are answered that they are not the owner."""
    return tuple(
        [msgspec.structs.replace(each, was_refused=True) if each.customer in customers else each for each in claims]
    )


def owner_of(entry: OrderEntry | None) -> str | None:
    """Return the key of the profile in which an order counts; None: nobody claims it."""
    return entry.claims[0].customer if entry is not None and entry.claims else None


def bounded_changes(changes: Changes) -> Changes:
    """Return what happened to an order: its first completion, and the newest others; at most so many in all.

    Those of browsers go first: a stranger may send as many as they like.
    """
    beyond = len(changes) - CHANGES_OF_AN_ORDER_MAX
    if beyond <= 0:
        return changes
    first = next((each for each in changes if each.kind == COMPLETED), changes[0])
    others = sorted([each for each in changes if each is not first], key=lambda each: not each.is_browser)
    return united_changes((first,), tuple(others[beyond:]))


def without_order(profile: Profile, id_hash: int) -> Profile:
    """Return the profile without an order and what happened to it; the same lists if it knows nothing of it."""
    if find_order(profile, id_hash) is not None:
        orders = tuple([order for order in profile.orders if order.id_hash != id_hash])
        profile = msgspec.structs.replace(profile, orders=orders)
    changes = tuple([change for change in profile.changes if change.order_hash != id_hash])
    return profile if len(changes) == len(profile.changes) else msgspec.structs.replace(profile, changes=changes)


def with_id_noted(profile: Profile, order_id: str, history: Changes) -> Profile:
    """Return the profile with the id of an order while it knows only refunds and cancellations of it."""
    is_unmatched, ids = bool(history) and state_of(history) is None, profile.unmatched_ids
    if is_unmatched is (order_id in ids):
        return profile
    others = tuple([each for each in ids if each != order_id])
    noted = bounded_ids((*others, order_id)) if is_unmatched else others
    return msgspec.structs.replace(profile, unmatched_ids=noted)


def with_ids_united(profile: Profile) -> Profile:
    """Return the profile after a merge, with the ids of orders that neither profile has."""
    known = {hash_64(order_id): order_id for order_id in profile.unmatched_ids}
    placed = {order.id_hash for order in profile.orders}
    ids = bounded_ids(tuple([order_id for id_hash, order_id in known.items() if id_hash not in placed]))
    return profile if ids == profile.unmatched_ids else msgspec.structs.replace(profile, unmatched_ids=ids)


def is_of_a_month(profile: Profile, id_hash: int, history: Changes) -> bool:
    """Return whether only a month keeps an order with this history, or would, so that it must not be placed again."""
    if not profile.months or not profile.orders or find_order(profile, id_hash) is not None:
        return False
    state = state_of(history)
    return state is not None and state.first.time_ms < profile.orders[0].time_ms


def _united(one: Claim, other: Claim) -> Claim:
    """Return the better of two claims of one profile; a completion goes before all refunds."""
    better, was_refused = min(one, other, key=_rank), one.was_refused or other.was_refused
    as_user = better.as_user
    if one.is_refund is other.is_refund:
        as_user = min(one.as_user, other.as_user, key=_event_rank)
    return msgspec.structs.replace(better, as_user=as_user, was_refused=was_refused)


def _event_rank(event: tuple[bool, str]) -> tuple[bool, bool, str]:
    is_browser, event_id = event
    return is_browser, not event_id, event_id


def _rank(claim: Claim) -> tuple[bool, int, bool, bool, str, str]:
    event_id = claim.event_id
    return claim.is_refund, claim.named, claim.is_browser, not event_id, event_id, claim.customer
