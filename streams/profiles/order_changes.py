"""The state of an order as a function of all that happened to it, in whatever order that came in.

The first completion places the order, however late it comes in. What takes it back counts after it, by time. A
completion gives back what was taken only if nothing was left: else it is the same order sent again, as a reload of the
page after the checkout does. Once a server has completed an order, only servers say what happened to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from schemas.journal import RULES, RULES_4
from streams.profiles.effects import hash_64
from streams.profiles.order_change import OrderChange
from streams.profiles.profile import PlacedOrder

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

    Changes = tuple[OrderChange, ...]
    Count = tuple[str, int, int, str]
    """(fact, time, value, currency or empty)."""

SETTLED: Final = 0
"""What is left of changes that a profile no longer keeps: so much was taken back."""
COMPLETED: Final = 1
REFUNDED: Final = 2
CANCELLED: Final = 3
REFUNDED_WHOLE: Final = 4
"""From rules 4 on: a refund without an amount, which takes all that is left."""
TAKING_BACK: Final[dict[str, int]] = {"order_refunded": REFUNDED, "order_cancelled": CANCELLED}
"""Kinds of what takes an order back, by the type of the touchpoint."""
TYPES: Final[dict[int, str]] = {**{kind: name for name, kind in TAKING_BACK.items()}, REFUNDED_WHOLE: "order_refunded"}
"""Types of touchpoints, by the kind of what they do to an order."""
_ENDING: Final = (CANCELLED, REFUNDED_WHOLE)
KINDS: Final[dict[str, int]] = {"order_completed": COMPLETED, **TAKING_BACK}


class OrderState(NamedTuple):
    """An order after all that happened to it; amounts are of its own currency."""

    first: OrderChange
    """The completion that placed it."""
    left_minor: int
    """Its worth less what was taken back."""
    counts: bool
    """Whether it was not taken back whole, or was completed again since."""
    taken: tuple[tuple[OrderChange, int], ...]
    """Each refund, cancellation and restoration, and how much it took; below 0: gave back."""
    acting: tuple[OrderChange, ...]
    """The refunds and cancellations of these that found something left."""


def change_of(event: Touchpoint, reporting_currency: str, rules: int = RULES) -> OrderChange | None:
    """Return what an event does to its order by these rules; None: nothing."""
    order, kind = event.order, KINDS.get(event.type)
    if order is None or kind is None:
        return None
    if kind == REFUNDED and not order.total_minor and rules >= RULES_4:
        kind = REFUNDED_WHOLE
    currency = "" if order.currency == reporting_currency else order.currency
    id_hash = 0 if kind == COMPLETED else hash_64(event.event_id)
    return OrderChange(event.time_ms, id_hash, hash_64(order.order_id), order.total_minor, kind, currency)


def acting(changes: Changes) -> Changes:
    """Return the refunds and cancellations of an order that did something, as far as it is known."""
    state = state_of(changes)
    if state is not None:
        return state.acting
    # what its refunds left is not known, but after a cancellation that is nothing
    ordered = sorted(changes, key=_by_time)
    cancelled = next((place for place, change in enumerate(ordered) if change.kind in _ENDING), len(ordered))
    return tuple(ordered[: cancelled + 1])


def state_of(changes: Changes) -> OrderState | None:
    """Return the state of an order by all of its changes; None: it is not known, only that it is taken back."""
    completions = [change for change in changes if change.kind == COMPLETED]
    if not completions:
        return None
    first = min(completions, key=_by_time)
    left, counts = first.minor, True
    taken: list[tuple[OrderChange, int]] = []
    acted: list[OrderChange] = []
    for change in sorted(changes, key=_by_turn):
        kind, before = change.kind, left
        if change is first:
            continue
        if kind >= REFUNDED and counts:
            acted.append(change)
        if kind == COMPLETED:
            if counts:
                continue
            left, counts = first.minor, True
        elif kind in _ENDING:
            left, counts = 0, False
        elif kind == SETTLED:
            # two profiles may both have settled it
            left, counts = max(min(left, first.minor - change.minor), 0), counts and change.minor < first.minor
            continue
        elif change.currency == first.currency:
            left = max(left - change.minor, 0)
            # an order that was free from the start counts
            counts = counts and (left > 0 or not first.minor)
        taken.append((change, before - left))
    return OrderState(first, left, counts, tuple(taken), tuple(acted))


def beyond(state: OrderState) -> dict[OrderChange, int]:
    """Return by refund how much more than the order's total was refunded with it; what ends it is no such refund."""
    first, found = state.first, {}
    # what was settled comes before all others
    refunded = first.minor - state.left_minor - sum([minor for _, minor in state.taken])
    for change, _ in state.taken:
        if change.kind == COMPLETED:
            refunded = 0
        elif change.kind == REFUNDED and not is_foreign_refund(change, state):
            refunded += change.minor
            more = min(refunded - first.minor, change.minor)
            if more > 0:
                found[change] = more
    return found


def placed_by(state: OrderState) -> PlacedOrder:
    """Return the order as a profile lists it, in the reporting currency."""
    first = state.first
    total_minor = 0 if first.currency else first.minor
    left_minor = 0 if first.currency else state.left_minor
    refunded_minor = total_minor - left_minor if state.counts else total_minor or 1
    return PlacedOrder(first.time_ms, total_minor, refunded_minor, first.order_hash, first.is_browser)


def with_own(order: PlacedOrder | None, changes: Changes) -> Changes:
    """Return the changes of an order with its completion, which a profile does not keep apart if it is all there is."""
    if order is None or any(change.kind == COMPLETED for change in changes):
        return changes
    time_ms, order_hash, is_browser = order.time_ms, order.id_hash, order.is_browser
    own = OrderChange(time_ms, 0, order_hash, order.total_minor, COMPLETED, "", is_browser)
    if not order.refunded_minor:
        return (own, *changes)
    return (own, OrderChange(time_ms, 0, order_hash, order.refunded_minor, SETTLED, "", is_browser), *changes)


def is_settled(changes: Changes) -> bool:
    """Return whether a profile no longer keeps some of what happened to the order, only how much that took back."""
    return any(change.kind == SETTLED for change in changes)


def without_settled(changes: Changes) -> Changes:
    """Return what happened to an order one by one."""
    return tuple([change for change in changes if change.kind != SETTLED])


def with_unsettled(changes: Changes, change: OrderChange) -> Changes:
    """Return what happened to an order as it was before a refund or cancellation of it was settled at once."""
    settled = next((each for each in changes if each.kind == SETTLED), None)
    if settled is None or change.kind < REFUNDED or change in changes or (change.is_browser and not settled.is_browser):
        return changes
    refunded_minor = change.minor if change.kind == REFUNDED and not change.currency else 0
    rest = msgspec.structs.replace(settled, minor=max(settled.minor - refunded_minor, 0))
    return united_changes(without_settled(changes), (rest, change))


def is_plain(changes: Changes) -> bool:
    """Return whether an order was only completed, in the reporting currency: the list of orders says it all."""
    return len(changes) == 1 and changes[0].kind == COMPLETED and not changes[0].currency


def united_changes(*lists: Changes) -> Changes:
    """Return all changes in order of time, each once; of an order that a server completed only those of servers.

    The lists are of one order, or of several.
    """
    found = {change for changes in lists for change in changes}
    if any(change.is_browser for change in found):
        completed = {change.order_hash for change in found if change.kind == COMPLETED and not change.is_browser}
        found = {change for change in found if not change.is_browser or change.order_hash not in completed}
    return tuple(sorted(found, key=_by_time))


def counts_of(changes: Changes) -> list[Count]:
    """Return the facts of an order: what is counted when it changes is their difference.

    A refund counts with what it took and what went beyond the order, and a cancellation with what was left. So money
    that is paid back after a cancellation counts once. A completion after that takes the amounts out again, at its own
    hour; the number of refunds stays. An order in another currency is among all orders and among those of its own.
    """
    state = state_of(changes)
    if state is None:
        taken = [(change, change.minor, change.currency) for change in changes]
        found: list[Count] = []
    else:
        first, currency = state.first, state.first.currency
        found = [("orders", first.time_ms, 1, ""), ("revenue_minor", first.time_ms, first.minor, currency)]
        if currency:
            found.append(("orders", first.time_ms, 1, currency))
        more = beyond(state)
        taken = [
            (change, change.minor, change.currency)
            if is_foreign_refund(change, state)
            else (change, minor + more.get(change, 0), currency)
            for change, minor in state.taken
        ]
    for change, minor, currency in taken:
        if change.kind != COMPLETED:
            found.append(("refunds", change.time_ms, 1, ""))
        found.append(("refunds_minor", change.time_ms, minor, currency))
    return found


def is_foreign_refund(change: OrderChange, state: OrderState) -> bool:
    """Return whether a change refunds in another currency than the order's, of which it takes nothing."""
    return change.kind == REFUNDED and change.currency != state.first.currency


def unmatched_minor(change: OrderChange) -> int:
    """Return by how much a change lowers the spend while its order is not known."""
    return change.minor if change.kind >= REFUNDED and not change.currency else 0


def _by_time(change: OrderChange) -> tuple[int, int, int, int, int, str, bool]:
    kind, minor = change.kind, change.minor
    return change.time_ms, kind, change.order_hash, minor, change.id_hash, change.currency, change.is_browser


def _by_turn(change: OrderChange) -> tuple[bool, int, int, int, int, int, str, bool]:
    return change.kind != SETTLED, *_by_time(change)
