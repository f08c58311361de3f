"""What the door answers, and what goes to Kafka."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError

from streams.kafka.partitioner import partition_of_key
from tests.support.door import BROWSER_KEY, CONFIG, KEY, PARTITIONS, SHOP, a_track, basic, with_a_door

if TYPE_CHECKING:
    from tests.support.door import ADoor

TIMED_OUT = KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - its name


def test_a_call_is_accepted_once_kafka_has_it_as_one_record_of_its_customer() -> None:
    async def use(door: ADoor) -> None:
        answer = await door.call("track", a_track(properties={"price": 12.50}))
        assert (answer.status, answer.said) == (202, {"accepted": 1})
        (sent,) = door.sent
        assert (sent.topic, sent.key, sent.partition) == (
            "shop.touchpoints",
            b"u:7",
            partition_of_key(b"u:7", PARTITIONS),
        )
        assert [name for name, _ in sent.headers] == ["source", "door", "received_at_ms"]
        assert dict(sent.headers)["source"] == b"api"
        received = sent.call.pop("receivedAt")
        assert received.endswith("+00:00")
        assert b'"price": 12.5' in sent.value
        assert {**a_track(properties={"price": 12.5}), "type": "track"} == {
            name: value for name, value in sent.call.items() if name != "receivedAt"
        }

    with_a_door(use)


def test_a_batch_is_a_record_for_each_call_with_what_the_batch_says_for_all() -> None:
    async def use(door: ADoor) -> None:
        calls = [
            {"type": "track", **a_track(1), "context": {"ip": "10.0.0.1", "locale": "de"}},
            {"type": "identify", "anonymousId": "phone", "messageId": "m-2", "traits": {"plan": "a"}},
        ]
        whole = {"batch": calls, "context": {"app": {"name": "x"}, "locale": "en"}, "sentAt": "2026-01-01T00:00:01Z"}
        answer = await door.call("batch", {**whole, "writeKey": KEY})
        assert (answer.status, answer.said) == (202, {"accepted": 2})
        first, second = door.sent
        assert (first.key, second.key) == (b"u:7", b"a:phone")
        assert first.call["context"] == {"app": {"name": "x"}, "locale": "de"}
        assert second.call["context"] == {"app": {"name": "x"}, "locale": "en"}
        assert first.call["sentAt"] == "2026-01-01T00:00:01Z"
        # without a time of its own it happened when it came in, and the caller's clock corrects nothing
        assert second.call["timestamp"] == second.call["receivedAt"]
        assert "sentAt" not in second.call
        assert all("writeKey" not in each.call for each in door.sent)

    with_a_door(use)


@pytest.mark.parametrize("where", ["header", "body"])
def test_the_key_is_in_the_header_or_in_the_body_and_never_in_the_record(where: str) -> None:
    async def use(door: ADoor) -> None:
        call = a_track() | ({"writeKey": KEY} if where == "body" else {})
        answer = await door.call("track", call, key=KEY if where == "header" else None)
        assert answer.status == 202
        assert KEY.encode() not in door.sent[0].value

    with_a_door(use)


@pytest.mark.parametrize(
    "authorization",
    [basic("a-key-of-a-server-2"), basic(""), "Basic !!", "Basic /w==", "Bearer " + KEY, KEY, "Basic"],
)
def test_another_key_is_not_let_in(authorization: str) -> None:
    async def use(door: ADoor) -> None:
        answer = await door.call("track", a_track(), key=None, Authorization=authorization)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert (await door.call("track", {**a_track(), "writeKey": 7}, key=None)).status == 401
        assert (await door.call("track", [], key=None)).status == 401
        # a browser would ask its user for a password
        assert "WWW-Authenticate" not in (await door.call("track", a_track(), key="x" * 20, Origin=SHOP)).headers
        assert door.sent == []

    with_a_door(use)


MISTAKES = [
    ("track", b"{", None),
    ("track", b"\xff", None),
    ("track", b"7", None),
    ("track", b"[" * 5_000, None),
    ("track", b'{"event": "x", "properties": ' + b'{"a":' * 150 + b"1" + b"}" * 151, None),
    ("track", a_track(timestamp="yesterday"), "timestamp"),
    ("track", a_track(timestamp="2026-01-01T00:00:00"), "timestamp"),
    ("track", a_track(timestamp=7), "timestamp"),
    ("track", a_track(event=""), "event"),
    ("track", a_track(properties=[]), "properties"),
    ("track", a_track(context={"page": 1}, traits="x"), "traits"),
    ("track", a_track(userId={"a": 1}), "userId"),
    ("track", a_track(type="page"), "type"),
    ("batch", {}, None),
    ("batch", {"batch": {}}, "batch"),
    ("batch", {"batch": [{"type": "page"}, 7]}, "batch[1]"),
    ("batch", {"batch": [{"type": "page"}, {"type": "buy"}]}, "batch[1].type"),
    ("batch", {"batch": [{"type": "page"}] * 3 + [{"type": "page", "timestamp": "x"}]}, "batch[3].timestamp"),
    ("batch", {"batch": [], "sentAt": "x"}, "sentAt"),
]


@pytest.mark.parametrize(("kind", "document", "path"), MISTAKES)
def test_a_mistake_is_answered_with_its_path_and_nothing_is_written(kind: str, document: Any, path: str | None) -> None:
    async def use(door: ADoor) -> None:
        answer = await door.call(kind, document)
        assert answer.status == 400, answer
        assert answer.said.get("path") == path, answer
        assert answer.said["error"]
        assert door.sent == []

    with_a_door(use)


def test_a_call_without_an_id_gets_the_same_one_each_time_and_equal_ones_of_a_batch_another() -> None:
    async def use(door: ADoor) -> None:
        call = {"type": "page", "userId": "7", "name": "Home"}
        for number in range(2):
            sent_at = f"2026-01-01T00:00:0{number}Z"
            assert (
                await door.call("batch", {"batch": [call, call, {**call, "name": "x"}], "sentAt": sent_at})
            ).status == 202
        ids = [each.call["messageId"] for each in door.sent]
        assert ids[:3] == ids[3:]
        assert len({*ids}) == 3
        assert (await door.call("page", {"userId": "7", "name": "Home", "messageId": ""})).status == 202
        assert door.sent[-1].call["messageId"] == ids[0]

    with_a_door(use)


def test_ids_of_nobody_are_no_keys_and_numbers_are_one_key_in_each_form() -> None:
    async def use(door: ADoor) -> None:
        ids = [
            {"userId": "null", "anonymousId": "d"},
            {"userId": 7},
            {"userId": 7.0},
            {"userId": True},
            {"anonymousId": ""},
        ]
        for each in ids:
            assert (await door.call("page", each)).status == 202
        assert [each.key for each in door.sent] == [b"a:d", b"u:7", b"u:7", None, None]

    with_a_door(use)


def test_numbers_and_texts_go_on_as_they_came() -> None:
    async def use(door: ADoor) -> None:
        numbers = b'{"a":1.10,"b":"\\u00e9","c":0.30000000000000004}'
        body = b'{"event":"x","userId":12345678901234567890123,"properties":' + numbers + b"}"
        assert (await door.call("track", body)).status == 202
        assert b'"userId":12345678901234567890123' in door.sent[0].value
        assert numbers in door.sent[0].value

    with_a_door(use)


def test_gzip_is_unpacked_up_to_the_limit() -> None:
    async def use(door: ADoor) -> None:
        body = json.dumps(a_track()).encode()
        assert (await door.call("track", gzip.compress(body), Content_Encoding="gzip")).status == 202
        bomb = gzip.compress(b" " * 50_000_000)
        assert len(bomb) < 60_000
        answer = await door.call("batch", bomb, Content_Encoding="gzip")
        assert answer.status == 413
        for wrong in (body, gzip.compress(body)[:-9], gzip.compress(body) + b"x"):
            assert (await door.call("track", wrong, Content_Encoding="gzip")).status == 400
        assert (await door.call("track", body, Content_Encoding="br")).status == 415
        assert len(door.sent) == 1

    with_a_door(use)


def test_what_is_too_large_is_refused_by_call_by_batch_and_by_number() -> None:
    async def use(door: ADoor) -> None:
        large = a_track(properties={"text": "x" * 33_000})
        assert (await door.call("track", large)).status == 413
        answer = await door.call("batch", {"batch": [{"type": "track", **large}]})
        assert (answer.status, answer.said["error"].split(":")[0]) == (413, "batch[0]")
        assert (await door.call("batch", {"batch": [{"type": "page"}] * 2_501})).status == 413
        assert (await door.call("batch", {"batch": [], "x": "x" * 600_000})).status == 413
        # as it comes in pieces its length is not known before
        assert (await door.call("track", {**large, "writeKey": KEY}, key=None)).status == 413
        assert door.sent == []

    with_a_door(use)


def test_what_a_batch_says_for_all_is_bounded_and_counts_as_often_as_it_is_there() -> None:
    async def use(door: ADoor) -> None:
        calls = [{"type": "page", "messageId": str(number)} for number in range(2_500)]
        batch = {"batch": calls, "context": {"x": "x" * 4_100}}
        answer = await door.call("batch", batch)
        assert (answer.status, answer.said["error"].split(":")[0]) == (413, "context")
        batch["context"] = {"x": "x" * 4_000}
        assert (await door.call("batch", batch)).status == 503
        assert (await door.call("batch", {**batch, "batch": calls[:100]})).status == 202
        assert "touchstream_serve_unacknowledged_bytes 0.0" in door.metrics.text().decode()

    with_a_door(use, unacknowledged_bytes_max=2 * 1024 * 1024)


def test_a_client_that_waits_to_be_told_to_go_on_is_told() -> None:
    async def use(door: ADoor) -> None:
        body = json.dumps(a_track()).encode()
        reader, writer = await door.connected()
        head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(KEY)}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")

    with_a_door(use)


def test_paths_methods_and_types_that_there_are_not() -> None:
    async def use(door: ADoor) -> None:
        assert (await door.call("buy", {})).status == 404
        assert (await door.asked("POST", "/")).status == 404
        assert (await door.asked("POST", "/in/nobody", b"{}")).status == 404
        answer = await door.asked("GET", "/v1/track")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert (await door.asked("DELETE", "/health/live")).status == 405
        body = json.dumps(a_track()).encode()
        kinds = {"text/plain": 202, "application/cloudevents+json": 202, "text/html": 415, "image/png": 415}
        for kind, status in kinds.items():
            assert (await door.call("track", body, Content_Type=kind)).status == status

    with_a_door(use)


def test_more_than_the_rate_is_answered_with_when_to_come_again() -> None:
    config = {"keys": {"slow": {"key": KEY, "source": "api", "requests_per_second": 2, "bytes_per_second": 10_000}}}

    async def use(door: ADoor) -> None:
        answers = [await door.call("track", a_track()) for _ in range(4)]
        assert [each.status for each in answers] == [202, 202, 429, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        await asyncio.sleep(1.1)
        assert (await door.call("track", a_track(properties={"x": "x" * 9_900}))).status == 202
        assert (await door.call("track", a_track())).status == 429

    with_a_door(use, config)


def test_a_page_may_call_from_its_own_origin_only() -> None:
    async def use(door: ADoor) -> None:
        answer = await door.asked("OPTIONS", "/v1/batch", Origin=SHOP, Access_Control_Request_Method="POST")
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, SHOP)
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert (await door.asked("OPTIONS", "/v1/batch", Origin="https://other.example")).status == 403
        answer = await door.call("track", a_track(), key=BROWSER_KEY, Origin=SHOP)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (202, SHOP)
        answer = await door.call("track", a_track(), key=BROWSER_KEY, Origin="https://other.example")
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        # the key of a server is not for pages
        assert (await door.call("track", a_track(), key=KEY, Origin=SHOP)).status == 403

    with_a_door(use)


def test_without_kafkas_acknowledgement_nothing_is_accepted() -> None:
    async def use(door: ADoor) -> None:
        door.producer.answers = lambda record: KafkaError(TIMED_OUT) if record.key == b"u:8" else None
        calls = [{"type": "track", **a_track(1)}, {"type": "track", **a_track(2, userId="8")}]
        answer = await door.call("batch", {"batch": calls})
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        door.producer.answers = lambda _: "no answer yet"
        waiting = asyncio.create_task(door.call("track", a_track(3)))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        door.producer.answers = lambda _: None
        assert (await waiting).status == 202

    with_a_door(use)


def test_bytes_that_wait_are_bounded_and_given_back() -> None:
    async def use(door: ADoor) -> None:
        door.producer.answers = lambda _: "no answer yet"
        body = {"batch": [{"type": "track", **a_track(n), "properties": {"x": "x" * 30_000}} for n in range(10)]}
        waiting = [asyncio.create_task(door.call("batch", body)) for _ in range(4)]
        await asyncio.sleep(0.3)
        done = [each.result() for each in waiting if each.done()]
        assert [each.status for each in done] == [503]
        assert done[0].headers["Retry-After"] == "1"
        door.producer.answers = lambda _: None
        assert sorted([(await each).status for each in waiting]) == [202, 202, 202, 503]
        assert "touchstream_serve_unacknowledged_bytes 0.0" in door.metrics.text().decode()

    with_a_door(use, unacknowledged_bytes_max=1024 * 1024)


def test_a_door_that_stops_ends_what_is_under_way_and_takes_no_more() -> None:
    async def use(door: ADoor) -> None:
        door.producer.answers = lambda _: "no answer yet"
        waiting = asyncio.create_task(door.call("track", a_track()))
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(door.serving.stop())
        await asyncio.sleep(0.1)
        door.producer.answers = lambda _: None
        assert (await waiting).status == 202
        assert await stopping == 0

    with_a_door(use)


def test_who_called_is_found_out_and_neither_address_nor_user_agent_is_kept() -> None:
    person = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    robot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

    async def use(door: ADoor) -> None:
        for agent in (person, robot):
            context = {"ip": "10.9.8.7", "userAgent": agent, "userAgentData": {"brands": []}, "locale": "de"}
            assert (await door.call("page", {"userId": "7", "context": context})).status == 202
        # a browser says itself what it is, whatever the page has put into the call
        for headers in (
            {"User_Agent": robot},
            {"User_Agent": person},
            {"User_Agent": person, "Sec_Purpose": "prefetch"},
        ):
            call = {"userId": "7", "context": {"userAgent": person}}
            assert (await door.call("page", call, key=BROWSER_KEY, Origin=SHOP, **headers)).status == 202
        assert (await door.call("page", {"userId": "7"}, key=BROWSER_KEY, Origin=SHOP, User_Agent=robot)).status == 202
        found = [each.call["context"].get("agent") for each in door.sent]
        assert found == ["person", "scanner", "scanner", "person", "prefetch", "scanner"]
        everything = b"".join(each.value for each in door.sent)
        assert b"10.9.8.7" not in everything
        assert b"Mozilla" not in everything
        assert b"brands" not in everything
        assert door.sent[0].call["context"]["locale"] == "de"

    with_a_door(use)


def test_a_webhook_is_accepted_once_and_refused_again_and_repeated_where_it_failed() -> None:
    key = "a-key-of-mailgun-1"
    config = {"sources": {"mail": {"door": "segment", "verify": "mailgun", "key": key}}}

    async def use(door: ADoor) -> None:
        stamp, token = str(int(time.time())), "t" * 50
        signature = hmac.digest(key.encode(), (stamp + token).encode(), "sha256").hex()
        body = json.dumps({"signature": {"timestamp": stamp, "token": token, "signature": signature}}).encode()
        door.producer.answers = lambda _: KafkaError(TIMED_OUT)
        assert (await door.asked("POST", "/in/mail", body, Content_Type="application/json")).status == 503
        door.producer.answers = lambda _: None
        assert (await door.asked("POST", "/in/mail", body, Content_Type="application/json")).status == 202
        answer = await door.asked("POST", "/in/mail", body, Content_Type="application/json")
        assert (answer.status, "replay" in answer.said["error"]) == (401, True)
        assert len(door.sent) == 2

    with_a_door(use, config)


def test_what_comes_to_a_source_is_proven_and_goes_on_as_it_came() -> None:
    async def use(door: ADoor) -> None:
        json_type = {"Content_Type": "application/json"}
        answer = await door.asked("POST", "/in/till", b'[{"a": 1.10}, {"b":2}]', **json_type)
        assert answer.status == 401
        right = {"Authorization": "Bearer a-key-of-the-till-1", **json_type}
        answer = await door.asked("POST", "/in/till", b'[{"a": 1.10}, {"b":2}]', **right)
        assert (answer.status, answer.said) == (202, {"accepted": 2})
        assert [each.value for each in door.sent] == [b'{"a": 1.10}', b'{"b":2}']
        assert dict(door.sent[0].headers)["door"] == b"touchpoint"
        answer = await door.asked("POST", "/in/till", b'[{"a": 1.10}, 7]', **right)
        assert (answer.status, answer.said["path"]) == (400, "[1]")

    with_a_door(use)


def test_health_says_whether_kafka_answers() -> None:
    async def use(door: ADoor) -> None:
        assert (await door.asked("GET", "/health/live")).status == 200
        assert (await door.asked("GET", "/health/ready")).status == 200
        metrics = await door.asked("GET", "/metrics")
        assert "touchstream_serve_ready 1.0" in metrics.text

    with_a_door(use, CONFIG)
