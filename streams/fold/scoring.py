"""What follows any change of a customer: score, lifecycle, segment, slot, cluster and public profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.outputs import SegmentChanged
from streams.flows.runtime.dated import with_entry_timers
from streams.flows.runtime.runner import on_segment
from streams.profiles.effects import derived_id
from streams.profiles.features import features, nearest
from streams.profiles.keys import is_customer
from streams.profiles.lifecycle import lifecycle
from streams.profiles.rfm import score, segment_of
from streams.profiles.segments import NO_ORDER, UNSCORED
from streams.profiles.slots import is_on_panel, next_slot_ms, panel_row
from streams.profiles.view import may_differ, view

if TYPE_CHECKING:
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile


def rescored(profile: Profile, at: FoldMoment, *, ordered: bool = False) -> Profile:
    """Score the profile now by the partition's cuts, and set its timers of entries by a date.

    The same object if nothing changes.
    """
    known = at.known
    fresh = score(profile, at.now_ms, known.settings, known.cuts)
    if fresh is not None and profile.score is not None:
        unchanged = msgspec.structs.replace(fresh, scored_ms=profile.score.scored_ms)
        fresh = profile.score if unchanged == profile.score else fresh
    # while an import goes on, a customer who seems to be back may never have been away
    stage = lifecycle(profile.lifecycle, fresh, ordered=ordered and profile.landing is None)
    slot_ms = profile.slot_ms
    if fresh is not None and not slot_ms and is_customer(at.customer):
        slot_ms = next_slot_ms(at.customer, at.now_ms)
    if fresh is not profile.score or stage != profile.lifecycle or slot_ms != profile.slot_ms:
        profile = msgspec.structs.replace(profile, score=fresh, lifecycle=stage, slot_ms=slot_ms)
    return with_entry_timers(profile, known.flows, at) if known.flows.dates else profile


def is_score_stale(profile: Profile, at: FoldMoment) -> bool:
    """Return whether the partition has other cuts than those of the score."""
    cuts = at.known.cuts
    return profile.score is not None and cuts is not None and profile.score.cuts_version != cuts.version


def on_slot(profile: Profile, slot_ms: int, at: FoldMoment) -> Profile:
    """Do what is due at the weekly slot: take features, assign a cluster, set the next slot, score again."""
    row = panel_row(at.customer, profile, slot_ms, at.settings)
    cluster, version = -1, ""
    if row is None:
        slot_after = 0
    else:
        slot_after = next_slot_ms(at.customer, slot_ms)
        if is_on_panel(at.customer, at.known.panel_share_ppm):
            at.effects.panel.append(row)
        model = at.known.clusters
        if model is not None:
            vector = features(row.recency_ms, row.orders, row.monetary_minor, row.gap_ms, row.engagement)
            cluster, version = nearest(model, vector), model.version
    moved = msgspec.structs.replace(profile, slot_ms=slot_after, cluster=cluster, clusters_version=version)
    return rescored(moved, at)


def publish_changes(before: Profile, after: Profile, at: FoldMoment) -> None:
    """Emit what changed for others: a change of segment, stock facts, the public profile."""
    if not may_differ(before, after) or not after.first_ms or not is_customer(at.customer):
        return
    if at.effects.is_of_flows_only:
        return
    old, new = segment_of(before.score), segment_of(after.score)
    if old != new:
        _segment_changed(old, new, after, at)
    if (before.score is None) != (after.score is None):
        at.effects.count("customers_ordered", value=1 if before.score is None else -1)
    if before.cluster != after.cluster:
        for cluster, value in ((before.cluster, -1), (after.cluster, 1)):
            if cluster >= 0:
                at.effects.count("customers", value=value, by=f"cluster={cluster}")
    if not before.first_ms:
        at.effects.count("customers_known")
    shown = view(at.customer, after)
    if before.orders is not after.orders or not before.first_ms or view(at.customer, before) != shown:
        at.effects.emit(at.customer, shown)


def segment_entered(before: Profile, after: Profile, at: FoldMoment, *, is_old: bool = False) -> Profile:
    """Start the flows that listen to the new segment, and return the profile; the same object if none started.

    The first cuts put everyone into a segment, which starts nothing: the customer did not move. Neither did they by
    what an import brings.
    """
    if before.score is after.score or not at.known.flows.segments or not is_customer(at.customer):
        return after
    if after.landing is not None:
        return after
    segment, left = segment_of(after.score), segment_of(before.score)
    if left in {segment, UNSCORED}:
        return after
    return on_segment(after, segment, at.known.flows, at, is_old=is_old)


def withdraw(profile: Profile, at: FoldMoment, *, is_gone: bool = True) -> None:
    """Take a profile out of stock facts, because a user absorbs it, and if it is gone out of public profiles."""
    if profile.score is not None:
        at.effects.count("customers_ordered", value=-1)
        at.effects.count("customers", value=-1, by=f"segment={segment_of(profile.score)}")
    if profile.cluster >= 0:
        at.effects.count("customers", value=-1, by=f"cluster={profile.cluster}")
    if profile.first_ms:
        at.effects.count("customers_known", value=-1)
        if is_gone:
            at.effects.forget(at.customer)


def landed(profile: Profile, at: FoldMoment) -> Profile:
    """Return a customer whom an import has left: others learn of their segment once, and dates to come are set.

    Nothing starts. The same object if no import has brought anything.
    """
    known_as = profile.landing
    if known_as is None:
        return profile
    scored = rescored(profile, at)
    publish_changes(profile, scored, at)
    after = msgspec.structs.replace(scored, landing=None)
    if at.known.flows.dates:
        after = with_entry_timers(after, at.known.flows, at)
    segment = segment_of(after.score)
    if segment != known_as and after.first_ms and is_customer(at.customer) and not at.effects.is_of_flows_only:
        _tell_segment(known_as, segment, after, at)
    return after


def _segment_changed(old: str, new: str, profile: Profile, at: FoldMoment) -> None:
    for segment, value in ((old, -1), (new, 1)):
        if segment != NO_ORDER:
            at.effects.count("customers", value=value, by=f"segment={segment}")
    if profile.landing is None:
        _tell_segment(old, new, profile, at)


def _tell_segment(old: str, new: str, profile: Profile, at: FoldMoment) -> None:
    scored = profile.score
    at.effects.count("segment_changes")
    change = SegmentChanged(
        change_id=derived_id(at.cause, at.customer, old, new),
        customer=at.customer,
        before=old,
        after=new,
        r=scored.r if scored else 0,
        f=scored.f if scored else 0,
        m=scored.m if scored else 0,
        cuts_version=scored.cuts_version if scored else "",
        cause=at.cause,
        time_ms=at.now_ms,
    )
    at.effects.emit(at.customer, change)
