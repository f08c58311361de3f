"""Visits that the facts have counted once each; after a merge, the later of two counts is too much."""

from __future__ import annotations

from streams.profiles.profile import SESSIONS_MAX, Session

Sessions = tuple[Session, ...]


def has_session(sessions: Sessions, id_hash: int) -> bool:
    """Return whether the session was counted; nearly always it is the last one."""
    for session in reversed(sessions):  # noqa: SIM110 - all() would make a generator for each touchpoint
        if session.id_hash == id_hash:
            return True
    return False


def with_session(sessions: Sessions, id_hash: int, time_ms: int) -> Sessions:
    """Add a session; beyond SESSIONS_MAX the oldest go."""
    return (*sessions, Session(time_ms, id_hash))[-SESSIONS_MAX:]


def with_imported(sessions: Sessions, id_hash: int, time_ms: int) -> Sessions:
    """Add a session of the past before the others; of more than SESSIONS_MAX the first goes, which is the last such."""
    others = sessions if len(sessions) < SESSIONS_MAX else sessions[1:]
    return (Session(time_ms, id_hash), *others)


def with_order(sessions: Sessions, id_hash: int, time_ms: int) -> Sessions:
    """Note the first order of a session; return the same object if it has one already, or is not known."""
    for index, session in enumerate(sessions):
        if session.id_hash == id_hash and not session.ordered_ms:
            with_time = Session(session.time_ms, id_hash, time_ms)
            return (*sessions[:index], with_time, *sessions[index + 1 :])
    return sessions


def united_sessions(one: Sessions, other: Sessions) -> tuple[Sessions, Sessions]:
    """Return the newest sessions of both, and the surplus counts: later times of sessions that are in both."""
    kept = {session.id_hash: session for session in one}
    surplus = []
    for session in other:
        same = kept.get(session.id_hash)
        if same is None:
            kept[session.id_hash] = session
            continue
        times, orders = (same.time_ms, session.time_ms), (same.ordered_ms, session.ordered_ms)
        kept[session.id_hash] = Session(min(times), session.id_hash, min(filter(None, orders), default=0))
        surplus.append(Session(max(times), session.id_hash, max(orders) if all(orders) else 0))
    newest = sorted(kept.values(), key=lambda session: (session.time_ms, session.id_hash))[-SESSIONS_MAX:]
    return tuple(newest), tuple(surplus)
