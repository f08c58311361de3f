"""The four profiles of an undo, and each list of the survivor's after it.

What is as the merge made it goes back to what the survivor had before. What came or changed since stays, as does what
was taken away since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from streams.profiles import timed_cart
from streams.profiles.mailboxes import MAILBOXES_MAX, with_mailboxes
from streams.profiles.profile import (
    PRICES_MAX,
    SESSIONS_MAX,
    TOUCHES_MAX,
    VIEWS_MAX,
    Cart,
    OrderMonth,
    Profile,
    Session,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.profiles.profile import CategoryView, ShownPrice
    from streams.profiles.statement import Mailbox

    Key = Callable[[Any], Any]

_replace = msgspec.structs.replace
_HOURS: Final = 24


class Sides(NamedTuple):
    """The profiles of an undo."""

    now: Profile
    """The survivor's."""
    before: Profile
    """The survivor's before the merge."""
    merged: Profile
    """What a merge makes of that and of what the other user has now."""
    absorbed: Profile
    """The other user's, with what has come in under their key since."""
    source: str
    """Their key."""
    then: Profile
    """What the merge had made of both."""


def divided_value(sides: Sides, name: str) -> object:
    is_as_merged = getattr(sides.now, name) in {getattr(each, name) for each in (sides.merged, sides.then)}
    return getattr(sides.before if is_as_merged else sides.now, name)


def divided_lists(sides: Sides) -> dict[str, Any]:
    """Return by name the lists whose items each stand for themselves."""
    lists = {name: _divided_list(sides, name) for name in _LISTS}
    lists["sessions"] = _own_visits(sides, lists["sessions"])
    return lists


def _divided_list(sides: Sides, name: str) -> tuple[Any, ...]:
    """Return the items of a list by their keys; one that a full ring lost since is not taken as taken away."""
    key, order, ring_max = _LISTS[name]
    now = {key(item): item for item in getattr(sides.now, name)}
    before = {key(item): item for item in getattr(sides.before, name)}
    merged = {key(item): item for item in getattr(sides.merged, name)}
    then = {key(item): item for item in getattr(sides.then, name)}
    is_full = 0 < ring_max <= len(now)
    found = []
    for each in dict.fromkeys((*before, *now)):
        if each in now and now[each] not in {merged.get(each), then.get(each)}:
            found.append(now[each])
        elif each in before and (each in now or each not in merged or is_full):
            found.append(before[each])
    return tuple(sorted(found, key=order)) if order is not None else tuple(found)


def divided_mailboxes(sides: Sides) -> tuple[Mailbox, ...]:
    """Return what the survivor knows of addresses: of one that came with the other user only if it was named since."""
    now, before, merged = (_boxes(profile) for profile in (sides.now, sides.before, sides.merged))
    found = []
    for address, box in now.items():
        was, made = before.get(address), merged.get(address)
        if made is not None and (_is_within(box, made) or (was is None and box.last_ms <= made.last_ms)):
            found += [was] if was is not None else []
        else:
            # of one that the other user named before, only the last naming is surely the survivor's
            found.append(box if was is not None or made is None else _replace(box, first_ms=box.last_ms))
    found += [box for address, box in before.items() if address not in now and address not in merged]
    return tuple(sorted(found, key=_by_address))[-MAILBOXES_MAX:]


def _is_within(box: Mailbox, other: Mailbox) -> bool:
    """Return whether the other box says all that this one says."""
    return with_mailboxes(Profile(mailboxes=(other,)), [box]).mailboxes == (other,)


def _boxes(profile: Profile) -> dict[str, Mailbox]:
    """Return by address what is known of it, with the last naming of the one in use."""
    return {box.address: box for box in with_mailboxes(profile, ()).mailboxes}


def _own_visits(sides: Sides, visits: tuple[Session, ...]) -> tuple[Session, ...]:
    """Return the visits of the survivor; those of the other user alone go with them, also if they ordered since."""
    own = {each.id_hash for each in sides.absorbed.sessions} - {each.id_hash for each in sides.before.sessions}
    return tuple([each for each in visits if each.id_hash not in own])[-SESSIONS_MAX:]


def divided_days(sides: Sides) -> tuple[tuple[int, int], ...]:
    days = dict(sides.now.answers)
    for sign, profile in ((-1, sides.then), (1, sides.before)):
        for day, count in profile.answers:
            if day in days:  # else it is too long ago
                days[day] += sign * count
    return tuple([(day, count) for day, count in sorted(days.items()) if count > 0])


def divided_hours(sides: Sides) -> tuple[int, ...]:
    now, before, merged = (profile.hours or (0,) * _HOURS for profile in (sides.now, sides.before, sides.then))
    hours = tuple([max(n + b - m, 0) for n, b, m in zip(now, before, merged, strict=True)])
    return hours if any(hours) else ()


def divided_months(sides: Sides) -> tuple[OrderMonth, ...]:
    if sides.then.months == sides.before.months:
        return sides.now.months
    found = {month.end_ms: [month.orders, month.minor] for month in sides.now.months}
    for sign, profile in ((-1, sides.then), (1, sides.before)):
        for month in profile.months:
            if month.end_ms in found:
                found[month.end_ms][0] += sign * month.orders
                found[month.end_ms][1] += sign * month.minor
    return tuple([OrderMonth(end_ms, *found[end_ms]) for end_ms in sorted(found) if found[end_ms][0] > 0])


def divided_cart(sides: Sides) -> Cart | None:
    """Return what the survivor has in the cart: of each article what they had, unless it changed since."""
    now, before, merged = sides.now.cart, sides.before.cart, sides.merged.cart
    if now in {merged, sides.then.cart}:
        return before
    if now is None:
        return None
    lines, were, made = (timed_cart.lines_of(cart) for cart in (now, before, merged))
    kept = [were.get(sku) if line == made.get(sku) else line for sku, line in lines.items()]
    opened_ms = before.opened_ms if before is not None else now.opened_ms
    return timed_cart.cart_of([line for line in kept if line is not None], opened_ms, now.added_ms)


def _by_time_and_hash(item: Any) -> tuple[int, int]:  # noqa: ANN401 - a touch, a visit or a view
    return item.time_ms, item.id_hash


def _by_hash(item: Session) -> int:
    return item.id_hash


def _by_address(item: Mailbox) -> str:
    return item.address


def _by_channel(item: tuple[str, int]) -> str:
    return item[0]


def _by_sku(item: ShownPrice) -> str:
    return item.sku


def _by_time_and_sku(item: ShownPrice) -> tuple[int, str]:
    return item.time_ms, item.sku


def _by_view(item: CategoryView) -> tuple[int, int, str]:
    return item.time_ms, item.id_hash, item.category


_LISTS: dict[str, tuple[Key, Key | None, int]] = {
    "touches": (_by_time_and_hash, _by_time_and_hash, TOUCHES_MAX),
    "sessions": (_by_hash, _by_time_and_hash, SESSIONS_MAX),
    "answered": (_by_channel, _by_channel, 0),
    "prices": (_by_sku, _by_time_and_sku, PRICES_MAX),
    "views": (_by_view, _by_view, VIEWS_MAX),
}
"""By list: what names an item, their order, and how many there may be; 0: no ring."""
