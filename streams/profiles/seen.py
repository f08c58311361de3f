"""Event ids already folded: 8-byte hashes in buckets of a day, so that a repeat is recognised for seven days."""

from __future__ import annotations

from typing import Final

from xxhash import xxh3_64_digest

from schemas.units import DAY_MS
from streams.profiles.profile import SEEN_MAX

Seen = tuple[tuple[int, bytes], ...]

HASH_BYTES: Final = 8
DAYS_KEPT: Final = 7
_IMPORTED: Final = 0
"""The day under which imported events are: before all others."""


def event_hash(event_id: str, source: str = "") -> bytes:
    """Return xxh3-64 of an event's id, 8 bytes; ids of two sources differ, and empty leaves the source out."""
    return xxh3_64_digest((f"{source}\x1f{event_id}" if source else event_id).encode())


def with_seen(seen: Seen, digest: bytes, now_ms: int) -> Seen | None:
    """Add a hash under the day of now_ms and drop what is beyond the bounds; None: it was seen already."""
    size = HASH_BYTES
    for _, hashes in seen:
        if digest in hashes and _is_one_of(hashes, digest):
            return None
        size += len(hashes)
    day = now_ms // DAY_MS
    if seen and seen[-1][0] == day:
        seen = (*seen[:-1], (day, seen[-1][1] + digest))
    else:
        seen = (*[bucket for bucket in seen if bucket[0] > day - DAYS_KEPT], (day, digest))
    return _bounded(seen) if size > SEEN_MAX * HASH_BYTES else seen


def with_imported(seen: Seen, digest: bytes) -> Seen | None:
    """Add a hash of an imported event, and drop what is beyond the bounds; None: it was seen already.

    Those go first, so that an import does not let repeats of today through. They last until the next day at least.
    """
    if is_seen(seen, digest):
        return None
    if seen and seen[0][0] == _IMPORTED:
        return _bounded(((_IMPORTED, seen[0][1] + digest), *seen[1:]))
    return _bounded(((_IMPORTED, digest), *seen))


def is_seen(seen: Seen, digest: bytes) -> bool:
    """Return whether a hash is among them."""
    return any(digest in hashes and _is_one_of(hashes, digest) for _, hashes in seen)


def united(one: Seen, other: Seen) -> Seen:
    """Unite both, each hash once, bounded."""
    days: dict[int, bytes] = dict(one)
    for day, hashes in other:
        before = days.get(day, b"")
        fresh = (hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES))
        days[day] = before + b"".join(digest for digest in fresh if not is_seen(one, digest))
    return _bounded(tuple(sorted((day, hashes) for day, hashes in days.items() if hashes)))


def _is_one_of(hashes: bytes, digest: bytes) -> bool:
    """Return whether the digest is one of the hashes, not the end of one and the beginning of the next."""
    return any(hashes[at : at + HASH_BYTES] == digest for at in range(0, len(hashes), HASH_BYTES))


def _bounded(seen: Seen) -> Seen:
    over = -SEEN_MAX * HASH_BYTES
    for _, hashes in seen:
        over += len(hashes)
    while over > 0:
        day, hashes = seen[0]
        if len(hashes) <= over:
            seen, over = seen[1:], over - len(hashes)
        else:
            seen, over = ((day, hashes[over:]), *seen[1:]), 0
    return seen
