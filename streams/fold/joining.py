"""Two user ids of one person, from rules 4 on: the smaller id survives, in whatever order links come in.

A user's profile goes to the smaller id as a device's goes to its user, and a mark stays: the survivor's key is then the
last of its links. A mark only ever moves to a smaller id, so following marks ends, and all orders of the same links end
with all profiles under the least id.

Two are merged once touchpoints of both have come in: the id of a device, sent as that of a user, has none. Until then
the link waits at the id that is not known. The greater one asks the smaller one whether there is room for
their ids, so that no more than USERS_OF_A_PERSON_MAX become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4, Absorbed, Link, Unlink
from schemas.limits import KEY_BYTES_MAX
from schemas.outputs import ProfileMerged
from schemas.touchpoint import PREVIOUS_ID
from streams.attribution.moving import with_credit_reversed
from streams.flows.runtime.moving import without_moved
from streams.fold.foreign import absorbed_profile
from streams.fold.keeping import kept_profile
from streams.fold.moment import Rejected
from streams.fold.scoring import withdraw
from streams.profiles.bounds import utf8_bytes
from streams.profiles.codec import encode_profile
from streams.profiles.joins import (
    GONE,
    USERS_OF_A_PERSON_MAX,
    has_room_for,
    kept_room,
    users_of,
    waiting,
    with_asked,
    without_asked,
    without_waiting,
)
from streams.profiles.keys import ASKED, USER, is_user
from streams.profiles.links import forward_target

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

_SHOWN_MAX = 40
_WAITING = "links_waiting"
"""Fact: links of users that wait, mostly because one of the two ids is not known."""
_replace = msgspec.structs.replace


def joined(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Ask for the merge of two users where identity_linked names a second user id; the profile is the same object."""
    if at.rules < RULES_4 or not is_user(at.customer):
        return profile
    previous = event.properties.get(PREVIOUS_ID)
    if previous:
        key = USER + previous
        if utf8_bytes(key) <= KEY_BYTES_MAX:
            _join(at.customer, key, at)
    return profile


def _join(one: str, other: str, at: FoldMoment) -> None:
    """Link the greater of two users to the smaller."""
    if one != other:
        at.effects.append(max(one, other), Link(min(one, other), at.now_ms, at.cause))


def fold_user_link(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Return a user after a link to another user, or what stays of them if their profile goes there.

    One who was merged before joins the two survivors.

    Raises:
        Rejected: the target is no user, or there is no room for their ids.
    """
    target, own = link.target, at.customer
    if not is_user(target):
        raise Rejected("bad_link", f"a user cannot be linked to {target[:_SHOWN_MAX]!r}")
    if target == own:
        return profile
    survivor = forward_target(own, profile)
    if survivor is not None:
        if link.users > 0 and target < own:
            _give_back(target, at)
        if target != survivor:
            _join(survivor, target, at)
        return profile
    if not profile.first_ms:
        if link.users == GONE:
            raise _too_many_wait(target)
        return _waiting(profile, target, at)
    if link.users == GONE:
        link = _replace(link, users=0)
    return _asked(profile, link, at) if target > own else _answered(profile, link, at)


def _answered(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Ask a smaller user for room, or move there if the answer is that there is; ids may have come meanwhile."""
    target, users, room = link.target, users_of(profile.linked), kept_room(profile.linked)
    if link.users == users and not room:
        return _moved(profile, target, at)
    if link.users:
        _give_back(target, at)
        # in a record of its own, which may be refused
        at.effects.append(at.customer, Link(target, at.now_ms, at.cause))
        return profile
    if room:
        return _waiting(profile, target, at)
    at.effects.append(target, Link(at.customer, at.now_ms, at.cause, users))
    return profile


def _give_back(target: str, at: FoldMoment) -> None:
    """Let a smaller user know that the room kept for this one is not needed."""
    at.effects.append(target, Unlink(at.customer, at.now_ms, at.cause))


def _asked(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Answer a greater user who asks for room, or ask them to ask; the link waits while room is kept for others.

    Raises:
        Rejected: together they would have too many ids.
    """
    target, linked = link.target, without_asked(profile.linked, link.target)
    if target in linked or has_room_for(profile.linked, target):
        # an answer is under way, and only one: what is given back was kept for it
        return profile
    if not link.users:
        _join(at.customer, target, at)
        return profile
    users = users_of(linked) + link.users
    if users > USERS_OF_A_PERSON_MAX:
        who = f"{at.customer[:_SHOWN_MAX]!r} and {target[:_SHOWN_MAX]!r}"
        detail = f"{who} would be one person with {users} user ids; at most {USERS_OF_A_PERSON_MAX} are allowed"
        raise Rejected("too_many_ids", detail)
    if users + kept_room(linked) > USERS_OF_A_PERSON_MAX:
        return _waiting(profile, target, at)
    if target in waiting(profile.linked):
        at.effects.count(_WAITING, value=-1)
    at.effects.append(target, Link(at.customer, at.now_ms, at.cause, link.users))
    return _replace(profile, linked=with_asked(linked, target, link.users))


def _waiting(profile: Profile, target: str, at: FoldMoment) -> Profile:
    """Return a user with whom a link waits. Where too many do for one who is not known, the first of them has to go.

    It goes in a record of its own, which is refused. So links that were sent by mistake do not keep out the right one.

    Raises:
        Rejected: too many do, and the user is known.
    """
    linked, others = profile.linked, waiting(profile.linked)
    if target in others:
        return profile
    if len(others) < USERS_OF_A_PERSON_MAX:
        at.effects.count(_WAITING)
    elif profile.first_ms:
        raise _too_many_wait(target)
    else:
        at.effects.append(at.customer, Link(others[0], at.now_ms, at.cause, GONE))
        linked = without_asked(linked, others[0])
    return _replace(profile, linked=with_asked(linked, target, 0))


def _too_many_wait(target: str) -> Rejected:
    detail = f"{USERS_OF_A_PERSON_MAX} other links of users wait, so there is no room for {target[:_SHOWN_MAX]!r}"
    return Rejected("too_many_ids", detail)


def joined_again(linked: tuple[str, ...], at: FoldMoment) -> tuple[str, ...]:
    """Ask again for the merges that waited, and return the keys without them; the same object if none did.

    The last one is asked first, as not all may have room.
    """
    if at.rules < RULES_4 or not is_user(at.customer):
        return linked
    for key in reversed(waiting(linked)):
        at.effects.count(_WAITING, value=-1)
        _join(at.customer, key, at)
    return without_waiting(linked)


def joined_since(linked: tuple[str, ...], rules: int, at: FoldMoment) -> tuple[str, ...]:
    """Ask for merges whose links came in before the rules of this partition were 4, and return the keys without them.

    `rules` are those of the profile until now. By them a link put the other user among the keys and did no more. There
    it would be the mark of a merge.
    """
    users = [key for key in linked if is_user(key)]
    if not users or rules >= RULES_4 or at.rules < RULES_4 or not is_user(at.customer):
        return linked
    for key in users:
        _join(at.customer, key, at)
    return tuple([key for key in linked if not is_user(key)])


def given_back(profile: Profile, target: str, at: FoldMoment) -> Profile:
    """Return a user without the room that was kept for another one; what waited for it is asked again."""
    linked = without_asked(profile.linked, target)
    return profile if linked is profile.linked else _replace(profile, linked=joined_again(linked, at))


def told_survivor(profile: Profile, unlink: Unlink, at: FoldMoment) -> Profile:
    """Return a user who was merged into one who was merged into a survivor since, or whose merge was undone."""
    mark, survivor = forward_target(at.customer, profile), unlink.survivor
    if mark != unlink.target or survivor >= (at.customer if unlink.is_undone else mark):
        return profile
    return _pointing(profile, survivor, at)


def check_source(absorbed: Absorbed, key: str) -> None:
    """Check that a profile that came whole is of a device, or of a user with a greater id.

    Raises:
        Rejected: it is not.
    """
    source = absorbed.source
    if is_user(source) and not (is_user(key) and key < source):
        raise Rejected("bad_link", f"the profile of {source[:40]!r} does not belong to {key[:40]!r}")


def pass_on(absorbed: Absorbed, survivor: str, at: FoldMoment) -> None:
    """Send a profile that came for a user who was merged on to the survivor, and let those know who point here."""
    at.effects.append(survivor, _replace(absorbed, hops=absorbed.hops + 1))
    linked = absorbed_profile(absorbed).linked if is_user(absorbed.source) else ()
    for key in (absorbed.source, *linked):
        at.effects.append(key, Unlink(at.customer, at.now_ms, at.cause, survivor))


def _moved(profile: Profile, target: str, at: FoldMoment) -> Profile:
    """Send a user's profile to the survivor. Who knows of the user learns of it, so that no way becomes long."""
    if profile.pending:
        profile = without_moved(profile, at)
    for key in profile.linked:
        if not key.startswith(ASKED):
            at.effects.append(key, Unlink(at.customer, at.now_ms, at.cause, target))
    profile = _replace(profile, linked=joined_again(profile.linked, at))
    profile = with_credit_reversed(profile, at)
    body = encode_profile(_replace(profile, wake_ms=0))
    at.effects.append(target, Absorbed(source=at.customer, profile=body, time_ms=profile.clock_ms))
    withdraw(profile, at, is_gone=False)
    return _pointing(_replace(kept_profile(profile, at), clock_ms=profile.clock_ms), target, at)


def _pointing(profile: Profile, survivor: str, at: FoldMoment) -> Profile:
    """Return a merged profile with its mark, and let subscribers know."""
    if not at.effects.is_of_flows_only:
        until_ms = profile.expires_ms if profile.kept else 0
        at.effects.emit(at.customer, ProfileMerged(at.customer, survivor, at.cause, at.now_ms, until_ms))
    return _replace(profile, linked=(survivor,))
