"""The undo of a merge of two users, which a person asks for.

For UNDO_DAYS the profile of a user who was merged stays whole under their own key, beside the mark. In the survivor's
partition it is kept too, with what the survivor was before, as others may be merged into the same survivor. Who is
asked to undo a merge sends the kept profile to the survivor, who keeps their own and sends the rest back. Until it is
there, records go on to the survivor as before.

What comes in meanwhile under the key of the user who was merged goes on to the survivor, and is folded in the kept
profile as well. So it stays with the key under which it came.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from schemas.journal import Link, Unlink
from schemas.limits import PROFILE_BYTES_MAX
from schemas.outputs import ProfileDivided
from streams.attribution.dividing import absorbed_credit, survivors_credit
from streams.attribution.moving import with_credit_elsewhere
from streams.attribution.slices import with_fitting_conversions, with_slice
from streams.flows.runtime.pending import taken_back
from streams.fold.crediting import with_credit_due
from streams.fold.keeping import UNDO_DAYS, now_ms
from streams.fold.merging import fold_absorbed
from streams.fold.moment import FoldMoment, Rejected
from streams.fold.ordering import count_difference
from streams.fold.owning import tell_moved_back
from streams.fold.scoring import publish_changes, rescored
from streams.fold.touchpoints import arrival_of, fold_touchpoint
from streams.profiles.bounds import within_limits
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.dividing import absorbed_of, divided_orders, shared_of, survivor_of
from streams.profiles.effects import Effects, derived_id, hash_64
from streams.profiles.joins import users_of
from streams.profiles.keys import is_address, is_device, is_user
from streams.profiles.links import forward_target
from streams.profiles.order_changes import state_of
from streams.profiles.orders import history_of
from streams.profiles.profile import EMPTY, Profile
from streams.profiles.seen import event_hash, with_seen
from streams.profiles.sides import Sides

if TYPE_CHECKING:
    from schemas.journal import UndoMerge
    from streams.fold.partition_state import Knowledge
    from streams.fold.record import Record
    from streams.profiles.dividing import OrdersOf
    from streams.profiles.effects import CountKey
    from streams.profiles.profile import Conversion, PendingMessage

_TAKEN_BACK: Final = "This customer turned out to be two, so the message to the other one was taken back."
_REASON: Final = "not_undone"
_KEPT_BYTES_MAX: Final = PROFILE_BYTES_MAX - 1_000
"""Bytes of a kept profile with the ids of later events; without them it has no more in any case."""
_replace = msgspec.structs.replace


def followed(profile: Profile, record: Record, known: Knowledge, effects: Effects) -> Profile:
    """Return a merged user whose kept profile has a touchpoint of theirs too, which goes on to the survivor.

    It is folded without effects, and starts and ends no flow: candidates are with the survivor.
    """
    own, event = decode_profile(profile.kept), record.value
    now_ms, digest = max(own.clock_ms, record.received_ms), event_hash(event.event_id, event.source)
    seen = with_seen(own.seen, digest, now_ms)
    if seen is None or now_ms >= profile.expires_ms:
        return profile
    quiet = FoldMoment(record.key, now_ms, event.event_id, known, Effects(effects.encode))
    arrival = arrival_of(event, digest, record.received_ms, known)
    after = fold_touchpoint(own, {"clock_ms": now_ms, "seen": seen}, arrival, quiet)
    after = _replace(after, runs=own.runs, pending=own.pending, messages=own.messages, entries=own.entries)
    after = with_credit_elsewhere(after, own)
    after = _replace(within_limits(after, known.rules), wake_ms=0, seen=seen)
    kept = encode_profile(after)
    if len(kept) > _KEPT_BYTES_MAX:
        kept = encode_profile(_replace(after, seen=()))
    return _replace(profile, kept=kept)


def asked_to_undo(profile: Profile, undo: UndoMerge, at: FoldMoment) -> None:
    """Send the kept profile of a merged user to the survivor.

    Raises:
        Rejected: the user was not merged, or too long ago.
    """
    who, survivor = at.customer[:40], forward_target(at.customer, profile)
    if survivor is None:
        raise Rejected(_REASON, f"{who!r} is not merged into another user, so there is nothing to undo")
    if not profile.kept or now_ms(at) >= profile.expires_ms:
        raise Rejected(_REASON, f"{who!r} was merged more than {UNDO_DAYS} days ago, which cannot be undone")
    at.effects.append(survivor, _replace(undo, source=at.customer, profile=profile.kept, counts={}))


def divided(
    profile: Profile, merges: dict[str, Merge], undo: UndoMerge, absorbed: Profile, at: FoldMoment
) -> tuple[Profile, dict[str, Profile]]:
    """Return the survivor without what came with the other user, and send that back to them.

    `merges` has by key the merges into this survivor that can be undone. What the survivor was before later ones is
    returned by key as it would have been without this one.

    Raises:
        Rejected: this user has not absorbed that one, or was merged since.
    """
    if undo.source not in merges or forward_target(at.customer, profile) is not None:
        text = f"{at.customer[:40]!r} does not hold the profile of {undo.source[:40]!r}: it was undone before, or "
        raise Rejected(_REASON, text + "this one was merged since. Then undo that first")
    chain = _Chain(profile, merges, undo.source, absorbed, at)
    sides = chain.sides
    orders = divided_orders(sides)
    after, theirs = survivor_of(sides, orders), absorbed_of(sides, orders)
    after, theirs = _with_candidates(after, theirs, sides, at)
    _count(sides, after, theirs, orders, at)
    _count_united(chain.counted, sides, at)
    after = with_credit_due(profile, survivors_credit(after, sides, orders, at), at)
    theirs = _with_ids(absorbed_credit(theirs, sides, orders, at), sides)
    after = rescored(within_limits(_with_ids(after, sides), at.rules), at)
    _tell_links(after, sides, at)
    publish_changes(profile, after, at)
    body = encode_profile(within_limits(theirs, at.rules))
    back = _replace(undo, source=at.customer, profile=body, counts=shared_of(sides))
    at.effects.append(undo.source, back)
    return after, chain.without


def restored(profile: Profile, undo: UndoMerge, own: Profile, at: FoldMoment) -> Profile:
    """Return a user who was merged as one on their own again.

    Raises:
        Rejected: they are not merged any more.
    """
    if forward_target(at.customer, profile) is None:
        raise Rejected(_REASON, f"{at.customer[:40]!r} is not merged into {undo.source[:40]!r} any more")
    after = _replace(own, clock_ms=at.now_ms, rules=at.rules)
    for key in after.linked:
        if is_address(key):
            at.effects.append(key, Link(at.customer, at.now_ms, at.cause))
    tell_moved_back(after, undo.source, at)
    unwritten = _replace(after, uncredited=())
    after = with_fitting_conversions(after, at)
    after = with_credit_due(unwritten, with_slice(after, at), at)
    after = rescored(after, at)
    if not at.effects.is_of_flows_only:
        divided_ = {
            "orders": len(after.orders),
            "touches": len(after.touches),
            "devices": sum([is_device(key) for key in after.linked]),
            "addresses": sum([is_address(key) for key in after.linked]),
            "candidates": len(after.runs),
        }
        record = ProfileDivided(at.customer, undo.source, undo.why, undo.by, at.now_ms, divided_, undo.counts)
        at.effects.emit(at.customer, record)
    publish_changes(_replace(EMPTY, clock_ms=at.now_ms, rules=at.rules), after, at)
    return after


class Merge(NamedTuple):
    """A merge that can be undone."""

    before: Profile
    """The survivor's before it; the clock is that of the merge."""
    absorbed: Profile


class _Chain:
    """A merge and those into the same survivor since, done once more without effects, with and without that merge."""

    def __init__(
        self, profile: Profile, merges: dict[str, Merge], source: str, absorbed: Profile, at: FoldMoment
    ) -> None:
        self.counted: Counter[CountKey] = Counter()
        """What facts have without the merge and do not have with it."""
        self.without: dict[str, Profile] = {}
        """By key, what the survivor would have been before a later merge."""
        self._at = at
        before, first = merges[source]
        self._merged(before, first, source, -1)
        later = [(key, merge) for key, merge in merges.items() if source in merge.before.linked]
        for key, merge in sorted(later, key=lambda each: users_of(each[1].before.linked)):
            made, then = (self._merged(before, each, source) for each in (absorbed, first))
            sides = Sides(merge.before, before, made, absorbed, source, then)
            self.without[key] = _never_merged(sides, self._quiet(merge.before))
            before = self._merged(self.without[key], merge.absorbed, key, 1)
            self._merged(merge.before, merge.absorbed, key, -1)
        merged = self._merged(before, absorbed, source)
        self.sides = Sides(profile, before, merged, absorbed, source, merged)

    def _quiet(self, then: Profile) -> FoldMoment:
        at = self._at
        return FoldMoment(at.customer, then.clock_ms, at.cause, at.known, Effects(at.effects.encode))

    def _merged(self, before: Profile, absorbed: Profile, source: str, sign: int = 0) -> Profile:
        quiet = self._quiet(before)
        merged = fold_absorbed(before, absorbed, source, quiet)
        for key, value in quiet.effects.counts.items():
            self.counted[key] += sign * value
        return merged


def _never_merged(sides: Sides, quiet: FoldMoment) -> Profile:
    """Return a survivor of earlier as if a merge had never been."""
    orders = divided_orders(sides)
    after = survivors_credit(survivor_of(sides, orders), sides, orders, quiet)
    after, _ = _with_candidates(after, sides.absorbed, sides, quiet)
    own = tuple([each for each in after.conversions if _is_left(each, orders)])
    return _replace(rescored(_with_ids(after, sides), quiet), conversions=own, uncredited=())


def _is_left(conversion: Conversion, orders: dict[int, OrdersOf]) -> bool:
    order = orders.get(hash_64(conversion.order_id))
    return order is None or bool(order.survivor)


def _with_candidates(after: Profile, theirs: Profile, sides: Sides, at: FoldMoment) -> tuple[Profile, Profile]:
    """Give the other user the candidates that were theirs and are still on their way.

    A message of one of those that is out to the survivor is taken back.
    """
    absorbed = sides.absorbed
    ids = {run.candidate_id for run in absorbed.runs}
    ids |= {derived_id(each.run.candidate_id, at.customer, "merged") for each in absorbed.pending}
    moved = tuple([run for run in after.runs if run.candidate_id in ids])

    def is_theirs(message: PendingMessage) -> bool:
        return message.run.candidate_id in ids

    if moved:
        after = _replace(after, runs=tuple([run for run in after.runs if run not in moved]))
    if after.pending:
        after = taken_back(after, is_theirs, _TAKEN_BACK, {}, at)
    return after, _replace(theirs, runs=moved)


def _count(sides: Sides, after: Profile, theirs: Profile, orders: dict[int, OrdersOf], at: FoldMoment) -> None:
    """Bring the facts to those of two customers."""
    for order in orders.values():
        if order.now and order.now not in {order.survivor, order.absorbed}:
            count_difference((order.now,), order.survivor, at)
            count_difference((), order.absorbed, at)
    now, count = sides.now, at.effects.count
    if any(profile.months for profile in (now, sides.before, sides.absorbed)):
        if after.orders and theirs.orders:
            count("new_customers", max(after.orders[0].time_ms, theirs.orders[0].time_ms))
    else:
        for value, profile in ((-1, now), (1, after), (1, theirs)):
            if profile.orders:
                count("new_customers", profile.orders[0].time_ms, value)


def _count_united(counted: Counter[CountKey], sides: Sides, at: FoldMoment) -> None:
    """Count visits and carts as if the merge had not united them; a cart that has ended since is one."""
    names = {"sessions", "sessions_ordered"}
    if sides.now.cart is not None or sides.merged.cart is None:
        names |= {"carts_opened", "carts_ordered"}
    for (name, hour_ms, by), value in counted.items():
        if name in names and value:
            at.effects.count(name, hour_ms, value, by)


def _with_ids(profile: Profile, sides: Sides) -> Profile:
    """Return a divided profile with the ids of orders of which it knows only refunds and cancellations."""
    ids = dict.fromkeys((*sides.before.unmatched_ids, *sides.absorbed.unmatched_ids, *sides.now.unmatched_ids))
    known = {each: history_of(profile, hash_64(each)) for each in ids}
    kept = [each for each, history in known.items() if history and state_of(history) is None]
    return _replace(profile, unmatched_ids=tuple(kept))


def _tell_links(after: Profile, sides: Sides, at: FoldMoment) -> None:
    """Let those who came with the other user, and point to the survivor since, point to the other user again."""
    for key in sides.absorbed.linked:
        if key not in after.linked and (is_user(key) or is_device(key) or is_address(key)):
            at.effects.append(key, Unlink(at.customer, at.now_ms, at.cause, sides.source, is_undone=True))
