"""What partitions of a backtest send each other."""

from __future__ import annotations

from schemas import wire
from schemas.journal import Absorbed, Link, SlotAnswered, SlotsDue
from streams.fold.record import Record
from streams.offline.exchange import Exchange


def test_addresses_that_are_about_to_answer_wait_and_all_else_is_on_its_way() -> None:
    exchange = Exchange()
    exchange.append("e:1", SlotsDue(5, 1))
    exchange.append("u:1", SlotAnswered("c", is_granted=True))
    assert list(exchange.due) == [("e:1", SlotsDue(5, 1))]
    assert list(exchange.sent) == [("u:1", SlotAnswered("c", is_granted=True))]


def test_a_profile_arrives_as_it_was_sent_here_and_without_one_the_journals_does() -> None:
    exchange = Exchange()
    of_journal = Record("u:1", Absorbed("a:1", b"journal", 1), b"", 0, 0)
    assert not exchange.is_there(of_journal)
    assert exchange.arrived(of_journal) is of_journal.value
    for body in (b"first", b"second"):
        exchange.note("u:1", Absorbed("a:1", body, 1))
    assert not exchange.is_there(Record("u:2", of_journal.value, b"", 0, 0))
    assert exchange.is_there(of_journal)
    assert [exchange.arrived(of_journal).profile for _ in range(3)] == [b"first", b"second", b"journal"]


def test_a_record_is_there_once_it_was_sent_with_the_same_bytes() -> None:
    exchange, link = Exchange(), Link("u:1", 1, "event")
    record = Record("e:1", link, wire.encode(link), 0, 0)
    exchange.note("e:1", Link("u:2", 1, "event"))
    assert not exchange.is_there(record)
    exchange.note("e:1", link)
    assert exchange.is_there(record)
    assert exchange.arrived(record) is link
    assert not exchange.is_there(record)
