"""The account of a file's lines."""

from __future__ import annotations

from collections import Counter

from streams.collect import addresses, checks, collector, segment, sizes
from streams.replay.files.mapped import Accounting, MappedTouchpoint, Origin, Reason, RefusedLines, account
from tests.support.sources import refusals
from tests.support.world import START_MS, an_order


def test_each_file_counts_its_own_lines_and_the_first_the_touchpoint() -> None:
    files: dict[str, Accounting] = {}
    order = an_order(START_MS)
    account(files, MappedTouchpoint(order, 5, (Origin("a", 7, b"", 2), Origin("b", 2, b"", 3))), "b")
    account(files, MappedTouchpoint(order, 1), "b")
    account(files, RefusedLines(Reason.BAD_TIME, "", 9, b"", 2, "a"), "b")
    account(files, RefusedLines(Reason.BAD_TIME, "", 9, b""), "b")
    assert files == {
        "a": Accounting(in_orders=2, refused=Counter(bad_time=2), touchpoints=Counter(order_completed=1)),
        "b": Accounting(in_orders=4, refused=Counter(bad_time=1), touchpoints=Counter(order_completed=1)),
    }
    assert [each.lines for each in files.values()] == [4, 5]


def test_accounts_of_files_add_up() -> None:
    first = Accounting(1, 2, 3, 4, Counter(late_line=5), Counter(page_viewed=4))
    second = Accounting(10, 20, 30, 40, Counter(late_line=1, bad_time=50), Counter(page_viewed=40))
    both = Accounting(11, 22, 33, 44, Counter(late_line=6, bad_time=50), Counter(page_viewed=44))
    assert first + second == both
    assert sum([first, second], Accounting()).lines == first.lines + second.lines


def test_a_refused_touchpoint_gives_back_its_lines_by_file_as_they_came() -> None:
    mapped = MappedTouchpoint(an_order(START_MS), 5, (Origin("a", 7, b"x\ny\n", 2), Origin("b", 2, b"z\n", 1)))
    assert mapped.refused(Reason.TOO_LONG, "too long") == [
        RefusedLines(Reason.TOO_LONG, "too long", 7, b"x\ny\n", 2, "a"),
        RefusedLines(Reason.TOO_LONG, "too long", 2, b"z\n", 1, "b"),
    ]


def test_a_refused_touchpoint_without_lines_is_shown_itself() -> None:
    order = an_order(START_MS)
    (refused,) = MappedTouchpoint(order, 1).refused(Reason.TOO_LONG, "too long")
    assert (refused.raw, refused.file) == (repr(order).encode(), "")


def test_every_reason_of_collect_for_a_touchpoint_is_one_of_a_replay() -> None:
    modules = (addresses, checks, collector, segment, sizes)
    given = {reason for module in modules for reason in refusals(module.__file__)}
    # these are of bytes that no replay writes, and no column says who looked
    assert given - {"empty", "malformed", "mark_in_wall_prefix", "bad_agent"} <= set(Reason)
    assert len(given) > 12
