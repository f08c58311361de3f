"""What others may know of a customer, and when it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outputs import ProfileView
from streams.profiles.orders import first_order_ms, window_sums
from streams.profiles.rfm import segment_of

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

_LONGEST_MS = 1 << 62


def is_public(customer: str) -> bool:
    """Users and devices have a public profile; guests' orders, addresses and spend channels have none."""
    return customer.startswith(("u:", "a:"))


def may_differ(before: Profile, after: Profile) -> bool:
    """Whether a public field may have changed: cheap, never wrong when it says no."""
    return (
        before.score is not after.score
        or before.orders is not after.orders
        or before.lifecycle != after.lifecycle
        or before.cluster != after.cluster
        or before.clusters_version != after.clusters_version
        or before.consents is not after.consents
        or before.linked is not after.linked
        or before.user_id != after.user_id
        or not before.first_ms
    )


def view(customer: str, profile: Profile) -> ProfileView:
    """The public fields."""
    score = profile.score
    last_ms = window_sums(profile, profile.clock_ms, _LONGEST_MS).last_ms
    return ProfileView(
        customer=customer,
        user_id=profile.user_id,
        segment=segment_of(score),
        r=score.r if score else 0,
        f=score.f if score else 0,
        m=score.m if score else 0,
        cuts_version=score.cuts_version if score else "",
        scored_ms=score.scored_ms if score else 0,
        orders=score.orders if score else 0,
        monetary_minor=score.monetary_minor if score else 0,
        first_order_ms=first_order_ms(profile),
        last_order_ms=last_ms or None,
        lifecycle=profile.lifecycle,
        cluster=profile.cluster,
        clusters_version=profile.clusters_version,
        consent={item.channel: item.granted for item in profile.consents},
        devices=tuple(key for key in profile.linked if key.startswith("a:")),
    )
