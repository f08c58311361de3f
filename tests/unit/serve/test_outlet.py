"""Records on their way to Kafka: who waits, what is refused, and a producer that can't go on."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from confluent_kafka import KafkaError

from streams.serve.calls import Record
from streams.serve.outlet import Outlet, kafka_headers, producer_config
from streams.serve.refusals import Rejected
from streams.serve.settings import ServeSettings
from streams.worker_settings import WorkerSettings
from tests.support.door import AProducer

RECORD = Record(b"u:7", b"u:7", b"{}")
HEADERS = kafka_headers("web", "segment", 1_767_225_600_000)


def an_outlet(made: list[AProducer], **settings: Any) -> Outlet:
    def make(config: dict[str, Any]) -> AProducer:
        made.append(AProducer(config))
        return made[-1]

    return Outlet(WorkerSettings(), ServeSettings(**settings), ("touchpoints", 4), lambda _: None, make)


def test_a_producer_that_cannot_go_on_is_replaced() -> None:
    async def run() -> None:
        made: list[AProducer] = []
        outlet = an_outlet(made)
        outlet.start()
        made[0].answers = lambda _: KafkaError(KafkaError._FATAL, "fenced", fatal=True)  # noqa: SLF001 - its name
        with pytest.raises(Rejected) as raised:
            await outlet.send([RECORD, RECORD], HEADERS)
        assert raised.value.status == HTTPStatus.SERVICE_UNAVAILABLE
        await outlet.send([RECORD], HEADERS)
        assert [len(each.sent) for each in made] == [2, 1]
        assert outlet.records == 0
        assert await outlet.stop(1) == 0

    asyncio.run(run())


def test_room_is_set_aside_and_given_back() -> None:
    async def run() -> None:
        outlet = an_outlet([], unacknowledged_bytes_max=1 << 20)
        outlet.hold(1 << 20)
        with pytest.raises(Rejected, match="waits for Kafka"):
            outlet.hold(1)
        outlet.free(1 << 20)
        outlet.hold(1)
        assert outlet.held_bytes == 1

    asyncio.run(run())


def test_the_client_is_idempotent_whatever_else_is_set() -> None:
    worker = WorkerSettings(kafka={"acks": "1", "enable.idempotence": "false", "linger.ms": "9", "sasl.username": "x"})
    config = producer_config(worker, ServeSettings())
    assert (config["acks"], config["enable.idempotence"], config["linger.ms"]) == ("all", True, "9")
    assert config["sasl.username"] == "x"
    assert config["message.timeout.ms"] == 10_000


def test_the_time_of_receipt_is_eight_bytes() -> None:
    named = dict(HEADERS)
    assert named == {"source": b"web", "door": b"segment", "received_at_ms": named["received_at_ms"]}
    assert int.from_bytes(named["received_at_ms"], "big") == 1_767_225_600_000
