"""Nothing disappears between a file and the topics, or it is said where."""

from __future__ import annotations

import msgspec
import pytest

from schemas.insights import Count, Facts
from schemas.outputs import DeadLetter, Retried
from streams.demo.report.accounting import Account, balances, equations
from tests.support.shelf import MONDAY_MS, Shelf, a_finished_run, a_tiny_shop, a_touchpoint, an_account


def test_a_sound_run_balances() -> None:
    assert balances(an_account()) == []


def test_marks_are_no_touchpoints_and_forwarded_ones_are_journalled_once() -> None:
    account = an_account()
    assert (account.touchpoints, account.journalled, account.forwards_open) == (5, 4, 0)


def test_of_a_compacted_topic_the_last_counts_and_an_absorbed_customer_is_gone() -> None:
    account = an_account()
    assert account.customers == 3
    assert account.segments == {"New": 1, "Loyal": 1}


def test_corrected_windows_count_as_corrected() -> None:
    assert an_account().kpis["revenue_minor"] == 8_400


def test_reversals_are_part_of_the_balance_of_credit() -> None:
    assert an_account().credited_minor == {"last": {"email": 8_400}, "linear": {"email": 8_400}}


def test_a_cleared_anomaly_ends_where_it_was_cleared() -> None:
    (incident,) = an_account().anomalies
    assert incident.end_ms is not None
    assert incident.end_ms - incident.start_ms == 3_600_000


def test_what_was_brought_back_to_the_door_came_in_twice_and_was_sent_once() -> None:
    shelf = a_tiny_shop()
    shelf.put("retries", Retried(0))
    shelf.put("touchpoints", a_touchpoint(0))
    shelf.put("journal", a_touchpoint(0), "u:ann")
    shelf.put("facts", Facts(0, MONDAY_MS, (Count("folded", 0, "", 1),)))
    assert balances(an_account(shelf)) == []


@pytest.mark.parametrize("hops", [0, 1])
def test_what_was_brought_back_to_the_fold_is_in_the_journal_twice_and_came_in_once(hops: int) -> None:
    shelf = a_tiny_shop()
    headers = {"received_at_ms": bytes(8), **({"hops": b"\x01"} if hops else {})}
    letter = DeadLetter("raised", "", "fold", "tiny.journal", 0, 3, b"u:ann", b"", headers)
    shelf.put("touchpoints", a_touchpoint(5))
    shelf.put("journal", a_touchpoint(5), "u:ann")
    if hops:
        shelf.put("journal", a_touchpoint(5), "u:bob", hops)
    shelf.put("dead-letters", letter)
    forwards = ("forwards_sent", "forwards_received")[: 2 * hops]
    counts = tuple(Count(name, 0, "", 1) for name in ("fold_dead_letters", "folded", *forwards))
    shelf.put("facts", Facts(0, MONDAY_MS, counts))
    shelf.put("journal", a_touchpoint(5), "u:ann")
    shelf.put("retries", Retried(2))
    account = an_account(shelf)
    assert balances(msgspec.structs.replace(account, sent=account.sent + 1)) == []


def lost_on_the_way_in(shelf: Shelf) -> None:
    shelf.topics["journal"].pop(0)


def sent_by_somebody_else(shelf: Shelf) -> None:
    shelf.put("touchpoints", a_touchpoint(9))


def refused_without_a_trace(shelf: Shelf) -> None:
    shelf.topics["dead-letters"] = [each for each in shelf.topics["dead-letters"] if _stage(each.struct) != "replay"]


def told_twice(shelf: Shelf) -> None:
    shelf.topics["triggers"] *= 2


def credited_by_one_model_only(shelf: Shelf) -> None:
    shelf.topics["credits"] = shelf.topics["credits"][:2]


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        (lost_on_the_way_in, "touchpoints received + retried later = in the journal + refused on arrival"),
        (lost_on_the_way_in, "in the journal = processed + duplicates"),
        (sent_by_somebody_else, "touchpoints sent + retried on arrival = touchpoints received"),
        (refused_without_a_trace, "refused lines = lines in the replay's dead letters"),
        (told_twice, "messages decided - withdrawn = messages handed out - withdrawals"),
        (credited_by_one_model_only, "credit by last touch in the ledger"),
        (credited_by_one_model_only, "credit by linear touch = credit by last touch"),
    ],
)
def test_what_is_missing_is_said_with_both_figures(fault: object, claim: str) -> None:
    shelf = a_tiny_shop()
    assert callable(fault)
    fault(shelf)
    assert any(problem.startswith(claim) and "≠" in problem for problem in balances(an_account(shelf)))


def test_a_line_that_the_replay_did_not_see_is_missed() -> None:
    (problem,) = balances(an_account(lines=9))
    assert problem == "lines of the file = in orders + in refunds + other + refused: 9 ≠ 8"


@pytest.mark.parametrize(
    "field", ["folded", "duplicates", "fold_dead_letters", "forwards_sent", "decisions_open", "revenue_minor"]
)
def test_one_more_of_anything_folded_does_not_add_up(field: str) -> None:
    account = an_account()
    assert balances(msgspec.structs.replace(account, **{field: getattr(account, field) + 1}))


def test_a_customer_in_another_segment_than_the_facts_say_is_noticed() -> None:
    account = msgspec.structs.replace(an_account(), segments={"New": 2})
    assert [equation.claim for equation in equations(account) if not equation.holds] == [
        "customers in segments: by profiles = by sums"
    ]


def test_an_account_can_be_read_back_from_its_json() -> None:
    account = a_finished_run().account
    assert msgspec.json.decode(msgspec.json.encode(account), type=Account) == account


def _stage(record: object) -> str:
    return record.stage if isinstance(record, DeadLetter) else ""
