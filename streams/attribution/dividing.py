"""Credit after the undo of a merge: the survivor's rows of the other user's orders are reversed, theirs written again.

Where the merge and what came since had changed no row of an order, none is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.attribution.ledger import by_time
from streams.attribution.slices import bounded_path, settled, with_open, with_slice, written_of
from streams.profiles.effects import hash_64
from streams.profiles.order_changes import state_of
from streams.profiles.profile import Conversion, Profile, Uncredited

if TYPE_CHECKING:
    from streams.profiles.dividing import OrdersOf
    from streams.profiles.moment import Moment
    from streams.profiles.profile import Touch
    from streams.profiles.sides import Sides

_replace = msgspec.structs.replace


def survivors_credit(profile: Profile, sides: Sides, orders: dict[int, OrdersOf], at: Moment) -> Profile:
    """Return the survivor's divided profile with its conversions, of which the first slice is written.

    An order of the other user stays open with a worth of 0 while it has rows here, as one of another owner does.
    """
    now, held, of_other = sides.now, written_of(sides.now), written_of(sides.absorbed)
    theirs = {each.order_id: each for each in sides.absorbed.conversions}
    before = {each.order_id: each for each in sides.before.conversions}
    came = _touches_of(sides.absorbed) - _touches_of(sides.before)
    changed = []
    for old in now.conversions:
        order_id = old.order_id
        order = orders.get(hash_64(order_id))
        written = held.get(order_id, (old,))
        if order is not None and not order.survivor:
            own = theirs.get(order_id)
            if own is not None and order.absorbed and written == of_other.get(order_id, (own,)):
                held.pop(order_id, None)
                continue
            new = _replace(old, value_minor=0)
        else:
            new, was = old, before.get(order_id)
            state = state_of(order.survivor) if order is not None else None
            if state is not None:
                new = settled(new, state, at)
            kept = tuple([touch for touch in old.path if touch not in came])
            path = bounded_path((profile.touches, () if was is None else was.path, kept), new, at)
            new = new if path == new.path else _replace(new, path=path)
        if written == (new,):
            held.pop(order_id, None)
        else:
            held[order_id] = written
        changed.append(new)
    after = with_open(profile, changed, held, at)
    return after if now.uncredited else with_slice(after, at)


def absorbed_credit(profile: Profile, sides: Sides, orders: dict[int, OrdersOf], at: Moment) -> Profile:
    """Return the other user's divided profile with its conversions; what has to be written again is yet to be."""
    now = {each.order_id: each for each in sides.now.conversions}
    held, of_other = written_of(sides.now), written_of(sides.absorbed)
    changed, uncredited = [], []
    for own in sides.absorbed.conversions:
        order_id = own.order_id
        order, current = orders.get(hash_64(order_id)), now.get(order_id)
        if order is None:
            changed.append(own)
            continue
        if current is None:
            continue  # its rows are those that it last had
        if not order.absorbed:
            changed.append(_replace(own, value_minor=0, revision=max(own.revision, current.revision) + 1))
            continue
        state = state_of(order.absorbed)
        new = own if state is None else settled(own, state, at)
        written = of_other.get(order_id, (own,))
        if held.get(order_id, (current,)) != written:
            # the survivor reverses what is written; the revision makes other rows of these
            new = _replace(new, revision=max(own.revision, current.revision) + 1)
            written = (_replace(new, value_minor=0),)
        if written != (new,):
            uncredited.append(Uncredited(order_id, written))
        changed.append(new)
    changed.sort(key=by_time)
    places = {each.order_id: place for place, each in enumerate(changed)}
    uncredited.sort(key=lambda item: places[item.order_id])
    return _replace(profile, conversions=tuple(changed), uncredited=tuple(uncredited), uncredited_ms=0)


def _touches_of(profile: Profile) -> set[Touch]:
    conversions: tuple[Conversion, ...] = profile.conversions
    return {*profile.touches, *[touch for each in conversions for touch in each.path]}
