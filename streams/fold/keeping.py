"""Profiles that are kept, so that the merge of two users can be undone.

One is kept in a profile that has a mark and four more fields, at most 700 bytes. It has no ids of events, of which a
profile has up to 8,100 bytes. So both together have no more than PROFILE_BYTES_MAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.units import DAY_MS
from streams.profiles.codec import encode_profile
from streams.profiles.effects import derived_id
from streams.profiles.profile import Profile

if TYPE_CHECKING:
    from streams.fold.moment import FoldMoment

UNDO_DAYS: Final = 30
"""How long a merge can be undone."""
_replace = msgspec.structs.replace


def kept_key(kind: str, survivor: str, source: str) -> bytes:
    """Return the key of the state under which a survivor's partition keeps a profile of a merge.

    `kind` is KEPT or KEPT_ABSORBED. It has a hash of both keys, as a record may have to name it like a customer's key.
    """
    return (kind + derived_id(survivor, source)).encode()


def kept_profile(profile: Profile, at: FoldMoment) -> Profile:
    """Return a profile that holds another one for UNDO_DAYS, without event ids: those are with the survivor."""
    kept = encode_profile(_replace(profile, wake_ms=0, seen=()))
    until_ms = now_ms(at) + UNDO_DAYS * DAY_MS
    return Profile(clock_ms=at.now_ms, rules=at.rules, kept=kept, expires_ms=until_ms)


def now_ms(at: FoldMoment) -> int:
    """Return how far time has come: what is kept may be of a customer who does nothing."""
    return max(at.now_ms, at.known.watermark_ms or 0)


def without_kept(profile: Profile) -> Profile | None:
    """Return a merged user whose profile is kept no longer; None: of the survivor nothing is left to keep."""
    return _replace(profile, kept=b"", expires_ms=0) if profile.linked else None
