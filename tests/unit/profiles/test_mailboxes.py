"""Which address a customer has, by event time, and whether promotions may go there."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from msgspec.structs import replace

from schemas.units import DAY_MS
from streams.profiles.mailboxes import (
    MAILBOXES_MAX,
    SOFT_MAX,
    Sending,
    held_at,
    mailbox,
    settles_doubt,
    suppressed,
    surely_held_at,
    with_foreign_mailboxes,
    with_mailboxes,
    with_naming,
    with_proof,
)
from streams.profiles.profile import EMPTY, PlacedOrder, Profile
from streams.profiles.statement import UNSURE, ConsentState, Mailbox
from streams.settings import DomainSettings

SETTINGS = DomainSettings()
NOW_MS = 1_800_000_000_000
NEVER_MS = 1 << 62


def named(*names: tuple[str, int]) -> Profile:
    profile = EMPTY
    for address, time_ms in names:
        profile = with_naming(profile, address, time_ms)
    return profile


def why(box: Mailbox, now_ms: int = NOW_MS, granted_ms: int = 0, **fields: object) -> str | None:
    profile = replace(with_mailboxes(named(("aa", 1)), [box]), **fields)
    return suppressed(profile, Sending("aa", now_ms, NEVER_MS, granted_ms), SETTINGS)


def test_the_address_that_was_named_last_by_event_time_is_in_use_in_any_order() -> None:
    said = [("aa", 10), ("bb", 50), ("aa", 20), ("cc", 30)]
    found = {(p.email_hash, p.email_ms, p.mailboxes) for p in (named(*order) for order in permutations(said))}
    assert {(address, time_ms) for address, time_ms, _ in found} == {("bb", 50)}
    assert len(found) == 1


def test_a_time_that_is_kept_beside_the_address_in_use_counts() -> None:
    profile = replace(named(("aa", 10)), email_ms=40)
    assert with_naming(profile, "bb", 30).email_hash == "aa"
    assert with_naming(profile, "bb", 50).email_hash == "bb"
    assert mailbox(with_naming(profile, "bb", 50), "aa") == Mailbox("aa", 10, 40, is_own=True)


def test_the_address_that_was_held_at_a_time_is_known() -> None:
    profile = named(("aa", 10), ("aa", 20), ("bb", 50))
    assert [held_at(profile, time_ms) for time_ms in (5, 10, 30, 50, 70)] == ["aa", "aa", "aa", "bb", "bb"]
    assert held_at(EMPTY, 5) is None


@pytest.mark.parametrize(
    ("names", "time_ms", "expected"),
    [
        ([], 5, ""),
        ([("aa", 10)], 5, "aa"),
        ([("aa", 10), ("bb", 10)], 5, UNSURE),
        ([("aa", 10), ("aa", 20), ("bb", 50)], 30, "aa"),
        ([("aa", 10), ("bb", 20)], 30, "bb"),
        ([("aa", 10), ("bb", 20), ("aa", 40)], 30, UNSURE),
        ([("aa", 10), ("bb", 20), ("aa", 40)], 50, "aa"),
        ([("bb", 5), ("aa", 10), ("aa", 40)], 30, "aa"),
        ([("aa", 10), ("bb", 10)], 30, UNSURE),
    ],
)
def test_the_address_that_was_surely_held_at_a_time(names: list[tuple[str, int]], time_ms: int, expected: str) -> None:
    assert surely_held_at(named(*names), time_ms) == expected


def test_own_addresses_alone_say_which_was_surely_held() -> None:
    device = named(("dd", 1))
    assert surely_held_at(with_foreign_mailboxes(EMPTY, device), 5) == "dd"
    assert surely_held_at(with_foreign_mailboxes(named(("aa", 10)), device), 5) == "aa"


def test_a_grant_gets_the_address_that_comes_first_and_keeps_it() -> None:
    grant = ConsentState("email", granted=True, time_ms=5)
    texts = ConsentState("sms", granted=True, time_ms=5)
    profile = replace(EMPTY, consents=(grant, texts))
    for address, time_ms in (("aa", 10), ("bb", 7), ("bb", 20)):
        profile = with_naming(profile, address, time_ms)
        assert profile.consents == (replace(grant, address="aa"), texts)


def test_a_devices_address_is_in_use_only_if_the_customer_named_none() -> None:
    device = named(("dd", 90))
    assert with_foreign_mailboxes(EMPTY, device).email_hash == "dd"
    user = with_foreign_mailboxes(named(("aa", 10)), device)
    assert (user.email_hash, [box.address for box in user.mailboxes]) == ("aa", ["aa", "dd"])
    late = with_naming(with_foreign_mailboxes(EMPTY, device), "aa", 10)
    assert (late.email_hash, late.email_ms) == ("aa", 10)
    own = named(("dd", 10), ("aa", 20))
    for both in (with_foreign_mailboxes(own, device), with_naming(with_foreign_mailboxes(own, device), "dd", 5)):
        assert (both.email_hash, mailbox(both, "dd").last_ms) == ("aa", 10)  # type: ignore[union-attr]


def test_the_addresses_that_were_named_last_stay() -> None:
    profile = named(*((f"{number:02}", number + 1) for number in range(30)))
    assert [box.address for box in profile.mailboxes] == [f"{number:02}" for number in range(30 - MAILBOXES_MAX, 30)]


def test_what_is_known_of_an_address_does_not_depend_on_the_order() -> None:
    boxes = [
        Mailbox("aa", hard_ms=5),
        Mailbox("aa", proof_ms=9, soft_ms=(3,)),
        Mailbox("aa", soft_ms=tuple(range(40))),
        Mailbox("bb", complaint_ms=7),
    ]
    found = set()
    for order in permutations(boxes):
        profile = EMPTY
        for box in order:
            profile = with_mailboxes(profile, [box])
        found.add(profile.mailboxes)
    (known,) = found
    assert known[0] == Mailbox("aa", hard_ms=5, proof_ms=9, soft_ms=tuple(range(40 - SOFT_MAX, 40)))
    assert with_mailboxes(profile, boxes) is profile


def test_a_bounce_for_good_stops_promotions_until_something_proves_the_address() -> None:
    hard_ms = NOW_MS - DAY_MS
    assert why(Mailbox("aa")) is None
    assert "came back for good" in str(why(Mailbox("aa", hard_ms=hard_ms)))
    for after_ms in (0, 1):
        proof_ms, stops = hard_ms + after_ms, not after_ms
        assert (why(Mailbox("aa", hard_ms=hard_ms, proof_ms=proof_ms)) is not None) is stops
        assert (why(Mailbox("aa", hard_ms=hard_ms), granted_ms=proof_ms) is not None) is stops
        answered, orders = (("email", proof_ms),), (PlacedOrder(proof_ms, 1, 0, 1),)
        assert (why(Mailbox("", hard_ms=hard_ms), answered=answered) is not None) is stops
        assert (why(Mailbox("", hard_ms=hard_ms), orders=orders) is not None) is stops
        assert why(Mailbox("aa", hard_ms=hard_ms), answered=answered, orders=orders) is not None
    assert why(Mailbox("", hard_ms=hard_ms), answered=(("sms", NOW_MS),)) is not None


@pytest.mark.parametrize(
    ("bad", "proof_ms", "settles"),
    [
        (Mailbox("aa"), 9, False),
        (Mailbox("aa", hard_ms=5), 9, True),
        (Mailbox("aa", hard_ms=5), 5, False),
        (Mailbox("aa", soft_ms=(3, 20)), 9, True),
        (Mailbox("aa", hard_ms=5, proof_ms=6), 9, False),
        (Mailbox("aa", hard_ms=5, proof_ms=5), 9, True),
        (Mailbox("aa", hard_ms=5, soft_ms=(7,), proof_ms=6), 9, True),
    ],
)
def test_the_first_proof_after_something_bad_settles_the_doubt(bad: Mailbox, proof_ms: int, *, settles: bool) -> None:
    assert settles_doubt(bad, proof_ms) is settles
    profile = replace(named(("bb", 1)), mailboxes=(bad, Mailbox("bb", 1, 1)))
    after = with_proof(profile, bad, proof_ms)
    assert after.mailboxes == (replace(bad, proof_ms=proof_ms), Mailbox("bb", 1, 1))
    assert with_proof(after, after.mailboxes[0], proof_ms) is after


def test_after_a_report_of_spam_only_a_grant_counts() -> None:
    box = Mailbox("aa", complaint_ms=NOW_MS - DAY_MS, proof_ms=NOW_MS)
    assert "spam" in str(why(box, answered=(("email", NOW_MS),)))
    assert why(box, granted_ms=NOW_MS) is None


@pytest.mark.parametrize(("after_days", "stops"), [(400, True), (729, True), (731, False)])
def test_a_suppression_lasts_as_long_as_the_settings_say(after_days: int, *, stops: bool) -> None:
    for box in (Mailbox("aa", hard_ms=NOW_MS), Mailbox("aa", complaint_ms=NOW_MS)):
        assert (why(box, NOW_MS + after_days * DAY_MS) is not None) is stops


@pytest.mark.parametrize(
    ("days", "stops"), [((0, 1), False), ((0, 1, 2), True), ((0, 20, 40), False), ((0, 20, 40, 45), True)]
)
def test_soft_bounces_stop_promotions_if_there_are_several_soon(days: tuple[int, ...], *, stops: bool) -> None:
    soft_ms = tuple(NOW_MS - (60 - day) * DAY_MS for day in days)
    assert (why(Mailbox("aa", soft_ms=soft_ms)) is not None) is stops
    assert why(Mailbox("aa", soft_ms=soft_ms, proof_ms=NOW_MS)) is None
    profile = with_mailboxes(named(("aa", 1)), [Mailbox("aa", soft_ms=soft_ms)])
    never = SETTINGS.model_copy(update={"soft_bounces_max": 0})
    assert suppressed(profile, Sending("aa", NOW_MS, NEVER_MS, 0), never) is None


def test_what_happens_to_one_address_says_nothing_of_another() -> None:
    profile = with_mailboxes(named(("aa", 1), ("bb", 2)), [Mailbox("aa", hard_ms=NOW_MS - 1)])
    assert suppressed(profile, Sending("bb", NOW_MS, NEVER_MS, 0), SETTINGS) is None
    assert suppressed(profile, Sending("aa", NOW_MS, NEVER_MS, 0), SETTINGS) is not None
    assert suppressed(profile, Sending("aa", NOW_MS, NOW_MS - 1, 0), SETTINGS) is None


def test_what_names_no_address_is_about_the_one_that_the_customer_had_then() -> None:
    bounced = with_mailboxes(EMPTY, [Mailbox("", hard_ms=NOW_MS - 5)])
    first = with_naming(bounced, "aa", NOW_MS - 3)
    moved = with_naming(first, "bb", NOW_MS - 1)
    answers = [
        suppressed(profile, Sending(profile.email_hash, NOW_MS, NEVER_MS, 0), SETTINGS) is not None
        for profile in (bounced, first, moved)
    ]
    assert answers == [True, True, False]


def test_the_address_in_use_is_found_among_random_namings_in_any_order() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(500):
        said = [(chance.choice("abcd"), chance.randrange(1, 50)) for _ in range(6)]
        last_ms = max(time_ms for _, time_ms in said)
        chance.shuffle(said)
        assert named(*said).email_hash == max(address for address, time_ms in said if time_ms == last_ms)
