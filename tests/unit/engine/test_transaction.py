"""What a worker makes of the answers to a commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.engine.clients import Clients
from streams.engine.errors import MustAbort, MustEnd
from streams.engine.settings import EngineSettings
from streams.engine.transaction import Moved, Transactions
from tests.support.transactional import Brokers, refused, unanswered

if TYPE_CHECKING:
    from confluent_kafka import KafkaException

ONE, OTHER = ("journal", 0), ("journal", 1)
MOVED = {ONE: Moved(5, 9), OTHER: Moved(-1, 3)}
NEW, OLD = {ONE: 9, OTHER: 3}, {ONE: 5}


@pytest.fixture
def brokers() -> Brokers:
    return Brokers()


@pytest.fixture
def transactions(brokers: Brokers) -> Transactions:
    clients = Clients(consumer=brokers.consumer, producer=brokers.producer, clock_s=brokers.clock_s)
    begun = Transactions(EngineSettings("brokers", "shop", "shop/worker/0", Path()), clients)
    begun.start()
    begun.begin()
    brokers.calls.clear()
    return begun


def test_a_quick_commit_is_believed_and_the_producer_stays(brokers: Brokers, transactions: Transactions) -> None:
    transactions.commit(MOVED, b"")
    assert brokers.calls == ["send_offsets_to_transaction", "commit_transaction"]
    assert len(brokers.names) == 1


def test_after_a_slow_commit_the_producer_is_renewed_and_the_offsets_are_read(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.takes_s, brokers.offsets = 0.3, NEW
    transactions.commit(MOVED, b"")
    assert brokers.calls[-2:] == ["init_transactions", "committed"]
    assert len(brokers.names) == 2


def test_a_commit_that_the_offsets_do_not_show_comes_again(brokers: Brokers, transactions: Transactions) -> None:
    brokers.takes_s, brokers.offsets = 0.3, OLD
    with pytest.raises(MustAbort):
        transactions.commit(MOVED, b"")
    assert len(brokers.names) == 2


@pytest.mark.parametrize("offsets", [{ONE: 9}, {ONE: 5, OTHER: 3}, {ONE: 7, OTHER: 2}, {ONE: 20, OTHER: 3}])
@pytest.mark.parametrize("errors", [[], [refused()]])
def test_offsets_that_are_neither_old_nor_new_end_the_worker(
    brokers: Brokers, transactions: Transactions, offsets: dict[tuple[str, int], int], errors: list[KafkaException]
) -> None:
    brokers.takes_s, brokers.offsets = 0.3, offsets
    brokers.errors["commit_transaction"] = list(errors)
    with pytest.raises(MustEnd, match="torn"):
        transactions.commit(MOVED, b"")


def test_a_commit_whose_answer_was_an_error_is_adopted_if_the_offsets_show_it(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.errors["commit_transaction"], brokers.offsets = [refused()], NEW
    transactions.commit(MOVED, b"")
    # aborted first, so that a worker that was fenced does not fence its successor
    assert brokers.calls[-3:] == ["abort_transaction", "init_transactions", "committed"]


def test_a_commit_whose_answer_was_an_error_comes_again_if_the_offsets_are_old(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.errors["commit_transaction"], brokers.offsets = [refused()], OLD
    with pytest.raises(MustAbort):
        transactions.commit(MOVED, b"")


def test_a_cycle_that_moves_no_offset_ends_the_worker_if_its_fate_is_unknown(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.errors["commit_transaction"] = [refused()]
    with pytest.raises(MustEnd):
        transactions.commit({ONE: Moved(5, 5)}, b"")


def test_a_cycle_that_moves_no_offset_is_believed(brokers: Brokers, transactions: Transactions) -> None:
    brokers.takes_s = 0.3
    transactions.commit({ONE: Moved(5, 5)}, b"")
    assert len(brokers.names) == 2


def test_offsets_that_are_asked_for_again_are_waited_for(brokers: Brokers, transactions: Transactions) -> None:
    brokers.errors["commit_transaction"], brokers.offsets = [refused()], NEW
    brokers.errors["committed"] = [unanswered()]
    transactions.commit(MOVED, b"")
    assert brokers.calls[-2:] == ["committed", "committed"]


def test_a_committed_cycle_does_not_come_again_because_no_new_producer_could_be_made(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.takes_s = 0.3
    brokers.errors["init_transactions"] = [refused()]
    with pytest.raises(MustEnd):
        transactions.commit(MOVED, b"")


def test_whatever_keeps_a_producer_from_being_made_ends_the_worker(
    brokers: Brokers, transactions: Transactions
) -> None:
    def fail(_: Brokers) -> None:
        raise OSError("too many open files")

    brokers.takes_s, brokers.on_made = 0.3, fail
    with pytest.raises(MustEnd, match="too many open files"):
        transactions.commit(MOVED, b"")


def test_a_failed_renewal_after_an_abort_ends_the_worker(brokers: Brokers, transactions: Transactions) -> None:
    brokers.errors["init_transactions"] = [refused()]
    with pytest.raises(MustEnd):
        transactions.abort()


def test_an_abort_that_fails_after_a_failed_commit_ends_the_worker(
    brokers: Brokers, transactions: Transactions
) -> None:
    brokers.errors["commit_transaction"], brokers.errors["abort_transaction"] = [refused()], [refused()]
    with pytest.raises(MustEnd):
        transactions.commit(MOVED, b"")


def test_the_producer_is_renewed_after_every_abort(brokers: Brokers, transactions: Transactions) -> None:
    transactions.abort()
    assert brokers.calls == ["abort_transaction", "init_transactions"]
    assert len(brokers.names) == 2


def test_nothing_is_undone_and_nobody_fenced_where_no_transaction_is_open(
    brokers: Brokers, transactions: Transactions
) -> None:
    transactions.commit(MOVED, b"")
    transactions.abort()
    assert len(brokers.names) == 1
