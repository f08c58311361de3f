"""Visits that the facts have counted: each once, and on a merge the later count is what was too much."""

from __future__ import annotations

from streams.profiles.profile import SESSIONS_MAX, Session

Sessions = tuple[Session, ...]


def has_met(sessions: Sessions, id_hash: int) -> bool:
    """Whether the session was counted; nearly always it is the last one."""
    for session in reversed(sessions):  # noqa: SIM110 - all() would make a generator for each touchpoint
        if session.id_hash == id_hash:
            return True
    return False


def met(sessions: Sessions, id_hash: int, time_ms: int) -> Sessions:
    """With one more session, and without the oldest where they are too many."""
    return (*sessions, Session(time_ms, id_hash))[-SESSIONS_MAX:]


def ordered(sessions: Sessions, id_hash: int, time_ms: int) -> Sessions:
    """With an order in the session; the same object where it had one."""
    for index, session in enumerate(sessions):
        if session.id_hash == id_hash and not session.ordered_ms:
            told = Session(session.time_ms, id_hash, time_ms)
            return (*sessions[:index], told, *sessions[index + 1 :])
    return sessions


def united_sessions(one: Sessions, other: Sessions) -> tuple[Sessions, Sessions]:
    """Both, the newest of them; and what was counted too much: the later times of those that are in both."""
    kept = {session.id_hash: session for session in one}
    twice = []
    for session in other:
        known = kept.get(session.id_hash)
        if known is None:
            kept[session.id_hash] = session
            continue
        times, orders = (known.time_ms, session.time_ms), (known.ordered_ms, session.ordered_ms)
        kept[session.id_hash] = Session(min(times), session.id_hash, min(filter(None, orders), default=0))
        twice.append(Session(max(times), session.id_hash, max(orders) if all(orders) else 0))
    newest = sorted(kept.values(), key=lambda session: (session.time_ms, session.id_hash))[-SESSIONS_MAX:]
    return tuple(newest), tuple(twice)
