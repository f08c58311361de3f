"""What follows from a set of statements, in any order of arrival and however they are grouped."""

from __future__ import annotations

import random
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from schemas.limits import STATEMENTS_BYTES_MAX
from streams.profiles.statement import ConsentState
from streams.profiles.statements import GRANTS_KEPT, LAST_KEPT, beats, reaches_ms, standing_of, united_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED = random.SystemRandom().randrange(1 << 32)
SETS = 10_000


def said(
    time_ms: int, received_ms: int, *, granted: bool, is_server: bool = False, at_most: int = 0, only_flow: str = ""
) -> ConsentState:
    return ConsentState(
        "email",
        granted,
        time_ms,
        received_ms=received_ms,
        is_server=is_server,
        at_most=at_most,
        only_flow=only_flow,
    )


def a_set(chance: random.Random, most: int) -> list[ConsentState]:
    """Statements of few times, so that many clash."""
    return [
        ConsentState(
            chance.choice(("email", "all")),
            granted := chance.random() < 0.6,
            chance.randrange(8),
            received_ms=chance.randrange(8),
            is_server=chance.random() < 0.4,
            address=chance.choice(("", "aa")),
            at_most=chance.choice((0, 0, 1)) if granted else 0,
        )
        for _ in range(chance.randrange(1, most))
    ]


def by_definition(statements: list[ConsentState]) -> bool:
    """Whether a grant beats every withdrawal, of all that was ever said."""
    withdrawals = [each for each in statements if not each.granted]
    return any(all(beats(one, each) for each in withdrawals) for one in statements if one.granted)


def answer_of(
    statements: Iterable[ConsentState], *, default: bool
) -> tuple[ConsentState | None, bool, tuple[ConsentState, ...]]:
    """The statement on which the answer rests, whether it allows, and its limits."""
    standing = standing_of(list(statements), default=default)
    return standing.statement, standing.is_allowed, standing.limits


def test_a_grant_has_to_be_later_and_to_come_in_later() -> None:
    withdrawn = said(5, 7, granted=False)
    assert beats(said(6, 8, granted=True), withdrawn)
    assert not beats(said(6, 7, granted=True), withdrawn)
    assert not beats(said(5, 8, granted=True), withdrawn)


def test_between_servers_the_valid_time_decides_alone() -> None:
    withdrawn = said(5, 7, granted=False, is_server=True)
    assert beats(said(6, 1, granted=True, is_server=True), withdrawn)
    assert not beats(said(6, 1, granted=True), withdrawn)
    assert not beats(said(6, 1, granted=True, is_server=True), said(5, 7, granted=False))


def test_without_a_statement_the_default_holds() -> None:
    assert answer_of([], default=True) == (None, True, ())
    assert answer_of([], default=False) == (None, False, ())


def test_the_statement_on_which_the_answer_rests_is_named() -> None:
    grant, withdrawal = said(6, 6, granted=True), said(5, 7, granted=False)
    assert standing_of([grant], default=False).statement is grant
    assert answer_of([grant, withdrawal], default=False) == (withdrawal, False, ())


def test_one_grant_has_to_beat_all_withdrawals() -> None:
    first, second = said(10, 5, granted=True), said(8, 9, granted=True)
    early, late = said(9, 4, granted=False), said(7, 6, granted=False)
    assert standing_of([first, early], default=False).is_allowed
    assert standing_of([second, late], default=False).is_allowed
    assert not standing_of([first, second, early, late], default=False).is_allowed


def test_a_limit_holds_until_a_grant_beats_it() -> None:
    limited = said(5, 5, granted=True, at_most=1)
    assert standing_of([limited, said(4, 4, granted=True)], default=False).limits == (limited,)
    assert standing_of([limited, said(6, 4, granted=True)], default=False).limits == (limited,)
    assert standing_of([limited, said(6, 6, granted=True)], default=False).limits == ()
    other = said(6, 6, granted=True, only_flow="welcome")
    assert standing_of([limited, other], default=False).limits == (other,)


@pytest.mark.parametrize("most", [6, 40])
def test_what_is_kept_is_the_same_in_any_order_and_grouping_and_decides_alike(most: int) -> None:
    """Sets above LAST_KEPT lose statements; those that are lost must not matter."""
    chance = random.Random(SEED + most)
    for _ in range(SETS):
        statements = a_set(chance, most)
        kept = united_statements(statements)
        chance.shuffle(statements)
        cut = sorted(chance.randrange(len(statements) + 1) for _ in range(2))
        groups = [statements[: cut[0]], statements[cut[0] : cut[1]], statements[cut[1] :]]
        one, two, three = map(united_statements, groups)
        assert united_statements((*united_statements((*one, *two)), *three)) == kept
        assert united_statements((*one, *united_statements((*three, *two)))) == kept
        one_by_one: tuple[ConsentState, ...] = ()
        for each in statements:
            one_by_one = united_statements((*one_by_one, each))
        assert one_by_one == kept
        assert united_statements(kept) == kept
        answer = answer_of(kept, default=False)
        if len(set(statements)) <= LAST_KEPT:
            assert answer == answer_of(set(statements), default=False)
        assert not answer[1] or by_definition(statements)


@pytest.mark.parametrize("default", [True, False])
def test_what_another_profile_limited_limits_and_grants_nothing(*, default: bool) -> None:
    limit = replace(said(5, 5, granted=True, at_most=1), is_of_other=True)
    assert answer_of([limit], default=default) == (None, default, (limit,))
    for at, limits in ((4, (limit,)), (6, ())):
        own = said(at, at, granted=True)
        assert answer_of([limit, own], default=default) == (own, True, limits)
    no = said(6, 6, granted=False)
    assert answer_of([limit, no], default=default) == (no, False, ())
    news = [ConsentState("sms", granted=True, time_ms=10 + number, received_ms=number) for number in range(60)]
    grants = [said(number, number, granted=True) for number in range(1, 1 + GRANTS_KEPT)]
    others = [replace(limit, time_ms=number, received_ms=number) for number in range(5, 15)]
    kept = united_statements([*grants, *others, *news])
    assert {*grants, others[-1]} <= set(kept)


def test_the_last_statements_stay_and_of_each_subject_what_may_decide() -> None:
    old = said(1, 99, granted=False)
    news = [ConsentState("sms", granted=True, time_ms=10 + number, received_ms=number) for number in range(60)]
    kept = united_statements([old, *news])
    assert kept == (old, *news[-LAST_KEPT:])
    grant = said(2, 2, granted=True)
    assert grant in united_statements([old, grant, *news])
    grants = [said(number, number, granted=True) for number in range(2, 9)]
    assert len(united_statements([*grants, *news])) == LAST_KEPT + GRANTS_KEPT


def test_without_room_grants_go_first() -> None:
    statements = list(
        chain.from_iterable(
            (
                ConsentState("email", True, number, address=f"{number:064}", source="x" * 32),  # noqa: FBT003
                ConsentState("email", False, number, address=f"{number:064}", source="y" * 32),  # noqa: FBT003
            )
            for number in range(60)
        )
    )
    kept = united_statements(statements)
    assert 0 < len(kept) < len(statements)
    assert sum(not each.granted for each in kept) == 60
    assert [each for each in kept if each.granted] == [each for each in statements if each.granted][-len(kept) + 60 :]
    assert sum(len(each.address) + len(each.source) for each in kept) < STATEMENTS_BYTES_MAX


@pytest.mark.parametrize("purposes", [1, 4])
@pytest.mark.parametrize("is_together", [True, False])
def test_a_withdrawal_without_room_holds_for_all_addresses(purposes: int, *, is_together: bool) -> None:
    said = [
        ConsentState("email", False, 10 + at, f"purpose-{at % purposes}", f"{at:064}", 10 + at)  # noqa: FBT003
        for at in range(400)
    ]
    said.insert(200, ConsentState("email", granted=True, time_ms=15, purpose="purpose-0", address="aa", received_ms=15))
    kept: tuple[ConsentState, ...] = ()
    if is_together:
        kept = united_statements(said)
    else:
        for each in said:
            kept = united_statements((*kept, each))
    for each in said:
        if not each.granted:
            about = [one for one in kept if one.address in {"", each.address} and one.purpose == each.purpose]
            assert not standing_of(about, default=True).is_allowed
    assert len([each for each in kept if not each.address]) <= 3 * purposes
    assert sum(len(each.address) + len(each.purpose) for each in kept) < STATEMENTS_BYTES_MAX


def test_what_cannot_be_united_in_the_bytes_leaves_the_oldest() -> None:
    said = [ConsentState("email", False, number, f"{number:0500}", "aa", number) for number in range(60)]  # noqa: FBT003
    kept = united_statements(said)
    assert kept
    assert max(each.time_ms for each in kept) == 59
    assert sum(len(each.address) + len(each.purpose) for each in kept) < STATEMENTS_BYTES_MAX


def test_all_that_was_said_since_the_first_of_the_last_statements_is_kept() -> None:
    few = united_statements(said(time_ms, time_ms, granted=True) for time_ms in range(1, LAST_KEPT))
    assert reaches_ms(few) == 0
    many = united_statements(said(time_ms, time_ms, granted=time_ms % 2 == 0) for time_ms in range(1, 60))
    assert reaches_ms(many) == 60 - LAST_KEPT
    assert [item.time_ms for item in many][-LAST_KEPT:] == list(range(60 - LAST_KEPT, 60))
