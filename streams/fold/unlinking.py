"""Logouts from rules 4 on: a device belongs to nobody until the next link, and what it did before stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4, Unlink
from streams.fold.granting import tell_alone
from streams.fold.joining import given_back, told_survivor
from streams.profiles.keys import DEVICE, is_address, is_device, is_user
from streams.profiles.links import forward_target, freed_ms, with_logout, with_survivor

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def logged_out(profile: Profile, event: Touchpoint, came_ms: int, at: FoldMoment) -> Profile:
    """Return the profile of a user or a device after the touchpoint of a logout, and let the other one know.

    `came_ms` is the clock before the touchpoint.
    """
    if at.rules < RULES_4:
        return profile
    if is_device(at.customer):
        return _freed(profile, at.now_ms, came_ms, at)
    if is_user(at.customer) and event.anonymous_id:
        key = DEVICE + event.anonymous_id
        at.effects.append(key, Unlink(at.customer, at.now_ms, at.cause))
        return _without(profile, key)
    return profile


def fold_unlink(profile: Profile, unlink: Unlink, at: FoldMoment) -> Profile:
    """Return the profile of a device from which a user logged out, or of a user whose device said so.

    A device that has been linked to another user since stays theirs. With a survivor, the user was merged: devices,
    addresses and those merged before belong to the survivor now.
    """
    if unlink.survivor:
        return _with_survivor(profile, unlink, at)
    if is_user(at.customer):
        survivor = forward_target(at.customer, profile)
        if survivor is not None:
            at.effects.append(survivor, unlink)
            return profile
        if is_user(unlink.target):
            return given_back(profile, unlink.target, at)
        return _without(profile, unlink.target)
    if not is_device(at.customer) or _last_user(profile) != unlink.target:
        return profile
    return _freed(profile, unlink.time_ms, profile.clock_ms, at)


def _with_survivor(profile: Profile, unlink: Unlink, at: FoldMoment) -> Profile:
    survivor = unlink.survivor
    if is_user(at.customer):
        return told_survivor(profile, unlink, at)
    linked = with_survivor(profile.linked, unlink.target, survivor)
    if is_address(at.customer):
        tell_alone(profile.linked, linked, at)
    return profile if linked is profile.linked else _replace(profile, linked=linked)


def _freed(profile: Profile, time_ms: int, came_ms: int, at: FoldMoment) -> Profile:
    """Mark the logout, and let the device's users know, so that their next event there links the device again."""
    if time_ms <= freed_ms(profile.linked):
        return profile
    for user in profile.linked:
        if is_user(user):
            at.effects.append(user, Unlink(at.customer, time_ms, at.cause))
    linked = with_logout(profile.linked, time_ms, came_ms)
    return _replace(profile, linked=linked, clock_ms=max(profile.clock_ms, time_ms))


def _last_user(profile: Profile) -> str | None:
    users = [key for key in profile.linked if is_user(key)]
    return users[-1] if users else None


def _without(profile: Profile, key: str) -> Profile:
    if key not in profile.linked:
        return profile
    return _replace(profile, linked=tuple([other for other in profile.linked if other != key]))
