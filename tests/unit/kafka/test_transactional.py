"""When a producer has to be renewed, and what it is made of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.kafka.doubts import REPEATED_SECONDS
from streams.kafka.transactional import CALL_SECONDS_MAX, TransactionalProducer
from tests.support.transactional import Brokers, refused, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = {"transactional.id": "shop/worker/0"}


def a_producer(brokers: Brokers, **config: Any) -> TransactionalProducer:
    return TransactionalProducer({**CONFIG, **config}, brokers.producer, brokers.clock_s)


def test_no_doubt_is_left_by_a_quick_commit() -> None:
    guarded = a_producer(Brokers())
    guarded.commit()
    assert not guarded.in_doubt


@pytest.mark.parametrize("call", ["commit", "send_offsets"])
def test_a_call_that_took_as_long_as_a_repeated_one_leaves_a_doubt(call: str) -> None:
    for seconds, doubted in ((REPEATED_SECONDS - 0.001, False), (REPEATED_SECONDS, True)):
        brokers = Brokers()
        guarded = a_producer(brokers)
        brokers.takes_s = seconds
        if call == "commit":
            guarded.commit()
        else:
            guarded.send_offsets([], b"")
        assert guarded.in_doubt == doubted


@pytest.mark.parametrize("error", [refused(), unanswered()])
def test_a_commit_that_failed_leaves_a_doubt_also_if_it_was_made_again(error: KafkaException) -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    brokers.errors["commit_transaction"] = [error]
    if error.args[0].retriable():
        guarded.commit()
    else:
        with pytest.raises(KafkaException):
            guarded.commit()
    assert guarded.in_doubt


def test_every_abort_leaves_a_doubt() -> None:
    guarded = a_producer(Brokers())
    guarded.abort()
    assert guarded.in_doubt


@pytest.mark.parametrize("line", ["FAIL [thrd] 127.0.0.1:9092/1: Disconnected", "REQTMOUT [thrd] 1 timed out"])
def test_a_broken_connection_in_the_log_leaves_a_doubt_however_little_is_logged(line: str) -> None:
    brokers = Brokers()
    guarded = a_producer(brokers, log_level="3")
    logging.getLogger().setLevel(logging.ERROR)
    try:
        brokers.config["logger"].log(logging.INFO, line)
    finally:
        logging.getLogger().setLevel(logging.WARNING)
    assert guarded.in_doubt


def test_another_line_of_the_log_leaves_none() -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    brokers.config["logger"].log(logging.INFO, "GETPID [thrd] FAIL is no facility here")
    assert not guarded.in_doubt


def test_the_program_s_log_has_the_lines_that_were_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for log_level, shown in (("6", ["a note", "a fault"]), ("3", ["a fault"]), ("0", [])):
        caplog.clear()
        brokers = Brokers()
        a_producer(brokers, log_level=log_level)
        brokers.config["logger"].info("a note")
        brokers.config["logger"].error("a fault")
        assert caplog.messages == shown


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"retry.backoff.ms": "10", "retry.backoff.max.ms": "20", "log_level": "0", "enable.idempotence": "false"},
    ],
)
def test_operators_do_not_set_what_the_signs_depend_on(given: dict[str, str]) -> None:
    brokers = Brokers()
    a_producer(brokers, **given)
    wait_ms, most_ms = brokers.config["retry.backoff.ms"], brokers.config["retry.backoff.max.ms"]
    assert 200 <= wait_ms <= 300
    assert 0.8 * wait_ms / 1_000 == REPEATED_SECONDS
    # librdkafka waits no longer than that
    assert most_ms >= wait_ms
    assert brokers.config["log_level"] >= 6
    assert brokers.config["enable.idempotence"] is True


def test_more_may_be_logged_than_the_signs_need() -> None:
    brokers = Brokers()
    a_producer(brokers, log_level="7")
    assert brokers.config["log_level"] == 7


def test_a_start_that_was_made_again_leaves_no_doubt() -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    brokers.errors["init_transactions"] = [unanswered()]
    guarded.start()
    assert brokers.calls == ["init_transactions"] * 2
    assert not guarded.in_doubt


def test_a_start_that_failed_leaves_a_doubt() -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    brokers.errors["init_transactions"] = [refused()]
    with pytest.raises(KafkaException):
        guarded.start()
    assert guarded.in_doubt


def test_a_renewal_is_a_new_producer_of_the_same_name_that_has_begun() -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    before = guarded.producer
    guarded.abort()
    guarded.renew()
    assert guarded.producer is not before
    assert brokers.names == ["shop/worker/0"] * 2
    assert brokers.calls[-1] == "init_transactions"
    assert not guarded.in_doubt


def too_many_files(_: Brokers) -> None:
    raise OSError("too many open files")


def fail_to_begin(brokers: Brokers) -> None:
    brokers.errors["init_transactions"] = [refused()]


@pytest.mark.parametrize("fail", [too_many_files, fail_to_begin])
def test_without_a_new_producer_nothing_more_may_be_written(fail: Callable[[Brokers], None]) -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    guarded.abort()
    brokers.on_made = fail
    with pytest.raises((OSError, KafkaException)):
        guarded.renew()
    assert guarded.in_doubt


def test_a_call_without_an_answer_is_given_up_in_the_end() -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    brokers.errors["commit_transaction"] = [unanswered()] * 100
    brokers.takes_s = 10.0
    with pytest.raises(KafkaException) as raised:
        guarded.commit()
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT  # noqa: SLF001 - its name
    assert CALL_SECONDS_MAX < brokers.now_s <= CALL_SECONDS_MAX + 20


@pytest.mark.parametrize("is_refused", [True, False])
def test_an_abort_that_is_fenced_counts_only_after_a_refused_record(*, is_refused: bool) -> None:
    brokers = Brokers()
    guarded = a_producer(brokers)
    if is_refused:
        brokers.config["logger"].log(
            logging.ERROR, "TXNERR [thrd] ProduceRequest failed: Broker: Message size too large"
        )
    fenced = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))  # noqa: SLF001 - its name
    brokers.errors["abort_transaction"] = [fenced]
    if is_refused:
        guarded.abort()
        guarded.renew()
    brokers.errors["abort_transaction"] = [fenced]
    with pytest.raises(KafkaException):
        guarded.abort()
