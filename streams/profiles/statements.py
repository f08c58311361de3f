"""Sets of statements of consent: which have to be kept, and what follows from them.

A grant wins over a withdrawal that it beats: it is later by valid time, and, unless both clocks are servers', it was
also received later. A device's clock may be wrong, and then the order of arrival decides against messages. A customer
consents if one grant beats every withdrawal. What is kept of a set are the greatest of it by fixed orders, so neither
the order of arrival nor the grouping of merges matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from schemas.limits import STATEMENTS_BYTES_MAX
from streams.profiles.bounds import newest, text_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.profiles.statement import ConsentState

LAST_KEPT: Final = 20
"""Statements that are kept to tell what was known, whatever they are about."""
GRANTS_KEPT: Final = 4
"""Grants that are kept of each channel, purpose and address: the last may have come in too early to win."""
_WIDENED_OF_ONE: Final = 3
"""Of the withdrawals of a subject the last ones by time and by arrival may be three, where of more it is one."""
_STATEMENT: Final = 40
"""Bytes of a statement beside its texts."""


class Standing:
    """What a set of statements says; a plain class for the compiled wheel, as Moment."""

    __slots__ = ("is_allowed", "limits", "statement")

    def __init__(
        self, statement: ConsentState | None, *, is_allowed: bool, limits: tuple[ConsentState, ...] = ()
    ) -> None:
        """`statement` is that on which it rests, if there is one.

        `limits` are the grants for less than all that no later grant has replaced.
        """
        self.statement: Final = statement
        self.is_allowed: Final = is_allowed
        self.limits: Final = limits


def beats(grant: ConsentState, other: ConsentState) -> bool:
    """Return whether a grant is later than another statement, beyond the doubt that their clocks leave."""
    if grant.time_ms <= other.time_ms:
        return False
    return (grant.is_server and other.is_server) or grant.received_ms > other.received_ms


def standing_of(statements: Sequence[ConsentState], *, default: bool) -> Standing:
    """Return what the statements about one message say; `default` if there are none."""
    if len(statements) == 1:
        # as nearly always
        one = statements[0]
        if not one.is_of_other and not one.is_limited:
            return Standing(one, is_allowed=one.granted)
    grants: list[ConsentState] = []
    withdrawals: list[ConsentState] = []
    others: list[ConsentState] = []
    for item in statements:
        (others if item.is_of_other else grants if item.granted else withdrawals).append(item)
    alive = [grant for grant in grants if all(beats(grant, other) for other in withdrawals)]
    if alive:
        limiting = [item for item in (*alive, *others) if item.is_limited]
        limits = [item for item in limiting if not any(beats(grant, item) for grant in alive)]
        return Standing(max(alive, key=_order), is_allowed=True, limits=tuple(sorted(limits, key=_order)))
    if withdrawals:
        return Standing(max(withdrawals, key=_order), is_allowed=False)
    return Standing(None, is_allowed=default, limits=tuple(sorted(others, key=_order)))


def united_statements(statements: Iterable[ConsentState]) -> tuple[ConsentState, ...]:
    """Return what has to be kept of the statements, by valid time: the last ones, and those that may decide.

    Of each channel, purpose and address these are the last grants, and by valid time and by receive time the last
    withdrawal and the last limited grant. If they have too many bytes, the oldest grants go first, and then the oldest
    withdrawals are united into some for all addresses: there is less consent then, never more.
    """
    known = sorted(set(statements), key=_order)
    if len(known) > LAST_KEPT:
        by_subject: dict[tuple[str, str, str], list[ConsentState]] = {}
        for item in known:
            by_subject.setdefault((item.channel, item.purpose, item.address), []).append(item)
        needed = set(known[-LAST_KEPT:])
        for items in by_subject.values():
            needed |= _deciding(items)
        known = sorted(needed, key=_order)
    return _fitting(known)


def reaches_ms(statements: Sequence[ConsentState]) -> int:
    """Return from which valid time on all that was said is among the statements kept of a profile, ms; 0: all is.

    Of those before some may have been let go: the ones that decide nothing now.
    """
    return statements[-LAST_KEPT].time_ms if len(statements) >= LAST_KEPT else 0


def _deciding(items: Sequence[ConsentState]) -> set[ConsentState]:
    """Return which statements of one subject, in their order, may decide now or beside others."""
    needed = set([item for item in items if item.grants][-GRANTS_KEPT:])
    limited = [item for item in items if item.granted and item.is_limited]
    for binding in ([item for item in items if not item.granted], limited):
        if binding:
            needed |= {binding[-1], max(binding, key=_by_arrival)}
            needed.add(max(binding, key=_by_arrival_on_devices))
    return needed


def _fitting(known: Sequence[ConsentState]) -> tuple[ConsentState, ...]:
    """Return the statements that have room; those that forbid something go last, and else the newest.

    Withdrawals without room are kept as some for all addresses, as consent may be the default.
    """
    if _sum_of(known) <= STATEMENTS_BYTES_MAX:
        return tuple(known)
    ranked = tuple(sorted(known, key=lambda item: (not item.granted or item.is_limited, _order(item))))
    room = STATEMENTS_BYTES_MAX - _sum_of(_widened([item for item in known if not item.granted])) * _WIDENED_OF_ONE
    kept = newest(ranked, _bytes_of, room)
    wide = _widened([item for item in ranked[: len(ranked) - len(kept)] if not item.granted])
    fitting = newest(tuple(sorted(wide, key=_order)), _bytes_of, STATEMENTS_BYTES_MAX - _sum_of(kept))
    return tuple(sorted({*kept, *fitting}, key=_order))


def _widened(withdrawals: Iterable[ConsentState]) -> set[ConsentState]:
    """Return the withdrawals that decide, of each channel and purpose, as if they had named no address."""
    by_subject: dict[tuple[str, str], list[ConsentState]] = {}
    for item in withdrawals:
        by_subject.setdefault((item.channel, item.purpose), []).append(replace(item, address="", source=""))
    return {item for items in by_subject.values() for item in _deciding(sorted(items, key=_order))}


def _sum_of(items: Iterable[ConsentState]) -> int:
    return sum([_bytes_of(item) for item in items])


def _bytes_of(item: ConsentState) -> int:
    texts = (item.channel, item.purpose, item.address, item.source, item.only_flow)
    return _STATEMENT + sum([text_bytes(text) for text in texts])


def _order(item: ConsentState) -> tuple[int, bool, int, bool, str, str, str, str, int, str, bool, int]:
    """Return a key of a total order: by valid time, and at one time a withdrawal after a grant."""
    return (
        item.time_ms,
        not item.granted,
        item.received_ms,
        item.is_server,
        item.channel,
        item.purpose,
        item.address,
        item.source,
        item.at_most,
        item.only_flow,
        item.is_of_other,
        item.event_hash,
    )


def _by_arrival(item: ConsentState) -> tuple[object, ...]:
    return item.received_ms, _order(item)


def _by_arrival_on_devices(item: ConsentState) -> tuple[object, ...]:
    return not item.is_server, item.received_ms, _order(item)
