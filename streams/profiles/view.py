"""The public profile of a customer, and whether it may have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES_4
from schemas.outputs import ProfileView
from streams.profiles.keys import is_device
from streams.profiles.orders import first_order_ms, last_order_ms
from streams.profiles.profile import Score
from streams.profiles.rfm import segment_of
from streams.profiles.standing import promotional_consent

if TYPE_CHECKING:
    from streams.profiles.attributes import Attributes
    from streams.profiles.profile import Profile

_NO_SCORE = Score(segment_of(None), 0, 0, 0, "", 0, 0, 0, 0)


def may_differ(before: Profile, after: Profile) -> bool:
    """Return whether a public field may have changed; False is certain, and cheap to find."""
    return (
        before.score is not after.score
        or before.orders is not after.orders
        or before.lifecycle != after.lifecycle
        or before.cluster != after.cluster
        or before.clusters_version != after.clusters_version
        or (before.attributes is not after.attributes and not _shows_alike(before.attributes, after.attributes))
        or before.consents is not after.consents
        or before.linked is not after.linked
        or before.user_id != after.user_id
        or before.email_hash != after.email_hash
        or not before.first_ms
    )


def _shows_alike(one: Attributes | None, other: Attributes | None) -> bool:
    """Return whether what was said was only said again."""
    if one is None or other is None or one.texts is not other.texts:
        return False
    return one.channel is other.channel and one.signup_source is other.signup_source and one.country is other.country


def view(customer: str, profile: Profile) -> ProfileView:
    """Return the public fields of a profile."""
    score = profile.score or _NO_SCORE
    # by position: by name takes several times as long
    return ProfileView(
        customer,
        score.segment,
        score.r,
        score.f,
        score.m,
        score.cuts_version,
        score.scored_ms,
        score.orders,
        score.monetary_minor,
        profile.lifecycle,
        profile.cluster,
        profile.clusters_version,
        profile.user_id,
        first_order_ms(profile),
        last_order_ms(profile),
        _consent(profile) if profile.consents else {},
        tuple([key for key in profile.linked if is_device(key)]) if profile.linked else (),
        *_attributes(profile),
    )


def _attributes(profile: Profile) -> tuple[dict[str, str], str | None, str | None, str | None]:
    """Return traits, first channel, sign-up source and first country."""
    known = profile.attributes
    if known is None:
        return {}, None, None, None
    firsts = [None if first is None else first.text for first in (known.channel, known.signup_source, known.country)]
    texts = known.texts
    if "" in texts.values():
        texts = {name: text for name, text in texts.items() if text}
    return texts, firsts[0], firsts[1], firsts[2]


def _consent(profile: Profile) -> dict[str, bool]:
    if profile.rules >= RULES_4:
        return promotional_consent(profile)
    return {item.channel: item.granted for item in profile.consents}
