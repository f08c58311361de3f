"""Bad input gets a dead letter or a clear error, and the good records around it go through."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
import msgspec
import pytest

from schemas.catalogue import raw_schema
from schemas.journal import Wake
from schemas.outputs import DeadLetter, ProfileView
from schemas.touchpoint import Mark, Touchpoint
from schemas.wire import SINGLE_OBJECT, encode
from tests.support.outcomes import Outcome, read_outcome
from tests.support.producing import a_producer
from tests.support.running import Place, a_worker, make_place, send, wait_worked_off
from tests.support.world import DAY_MS, START_MS, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import Producer

pytestmark = pytest.mark.acceptance

HEADERS = [("trace", b"\x00\x07"), ("empty", b"")]
HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
FIVE_MB = 5 * 1024 * 1024


class Bad(NamedTuple):
    what: str
    value: bytes | None
    reason: str


class Sent(NamedTuple):
    """A record as the broker took it."""

    bad: Bad
    key: bytes
    offset: int


def with_wrong_types() -> bytes:
    """A touchpoint of a producer who changed the type of time_ms and kept our schema's fingerprint."""
    schema = json.loads(json.dumps(raw_schema("touchpoint")))
    next(field for field in schema["fields"] if field["name"] == "time_ms")["type"] = "string"
    body = io.BytesIO()
    event = msgspec.to_builtins(an_order(START_MS)) | {"time_ms": "yesterday"}
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), event)
    return SINGLE_OBJECT.header(Touchpoint) + body.getvalue()


def a_call(**changes: Any) -> bytes:
    properties = {"order_id": "o-1", "total": 12.5, "currency": "EUR", "products": []}
    call = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m-1",
        "userId": "9",
        "timestamp": "2026-01-01T00:00:00Z",
        "properties": properties,
    }
    return json.dumps(call | changes).encode()


def bad_records() -> list[Bad]:
    order = encode(an_order(START_MS, event_id="event-truncated"))
    body = order[10:]
    return [
        Bad("Avro that was cut off", order[:-5], "malformed"),
        Bad("Avro with bytes left over", order + b"!", "malformed"),
        Bad("an unknown fingerprint", b"\xc3\x01" + b"nonsense" + body, "unknown_schema"),
        Bad("an id of a registry that nobody has", b"\x00\x00\x00\x04\xd2" + body, "unknown_schema"),
        Bad("a field of another type", with_wrong_types(), "malformed"),
        Bad("neither framing", b"hello", "not_avro"),
        Bad("a record that is no touchpoint", encode(Wake(1)), "unexpected_type"),
        Bad("a negative total", encode(an_order(START_MS, total_minor=-1)), "amount_out_of_range"),
        Bad("a negative price", encode(an_add(START_MS, price_minor=-900)), "amount_out_of_range"),
        Bad("a time before 1990", encode(an_order(1_000)), "time_out_of_range"),
        Bad("a time that never comes", encode(an_order((1 << 62) - 1)), "time_out_of_range"),
        Bad("a mark of a time that never comes", encode(Mark(1 << 62)), "time_out_of_range"),
        Bad("nobody's touchpoint", encode(a_touchpoint("page_viewed", START_MS, user=None)), "no_customer"),
        Bad("an empty customer", encode(a_touchpoint("page_viewed", START_MS, user="")), "no_customer"),
        Bad("no event id", encode(a_touchpoint("page_viewed", START_MS, event_id="")), "no_event_id"),
        Bad("an order without its id", encode(a_touchpoint("order_completed", START_MS)), "no_order"),
        Bad("an event of one's own without a name", encode(a_touchpoint("custom", START_MS)), "no_name"),
        Bad("5 MB", order[:10] + bytes(range(256)) * (FIVE_MB // 256), "too_large"),
        Bad("5 MB that are right but for their size", _large(), "too_large"),
        Bad("a text that is not UTF-8", order.replace(b"event-truncated", b"\xff\xfe\x80 truncate"), "malformed"),
        Bad("a call that is not UTF-8", a_call().replace(b"o-1", b"\xff-1"), "malformed"),
        Bad("a call that is cut off", a_call()[:-3], "malformed"),
        Bad("a call with a price in words", a_call(properties={"order_id": "o", "total": "much"}), "malformed"),
        Bad("a call with too high a price", a_call(properties={"order_id": "o", "total": 1e30}), "amount_out_of_range"),
        Bad("a call with an endless price", a_call(properties={"order_id": "o", "total": "1e999999"}), "malformed"),
        Bad("a call whose properties are a list", a_call(properties=[1]), "malformed"),
        Bad("a call whose user is an object", a_call(userId={"id": 9}), "malformed"),
        Bad("a call without a time", a_call(timestamp=None), "malformed"),
        Bad("a call with a time without a zone", a_call(timestamp="2026-01-01T00:00:00"), "malformed"),
        Bad("a call of an event without a name", a_call(event=""), "unknown_type"),
        Bad("a call of another kind", a_call(type="teleport"), "unknown_type"),
        Bad("an order without an amount", a_call(properties={"order_id": "o"}), "no_amount"),
        Bad("a batch that is no list", json.dumps({"batch": {}}).encode(), "malformed"),
        Bad("a touchpoint in JSON with a field too many", b'{"event_id":"1","time_ms":1,"colour":"red"}', "malformed"),
        Bad(
            "a call with consent in words",
            a_call(event="Consent Changed", properties={"channel": "email", "granted": "false"}),
            "malformed",
        ),
        Bad("an empty value", b"", "empty"),
        Bad("no value", None, "empty"),
    ]


def _large() -> bytes:
    return encode(a_touchpoint("page_viewed", START_MS, properties={"text": "x" * FIVE_MB}))


def send_with_bad(place: Place, bad: list[Bad]) -> tuple[list[Sent], int]:
    """Each bad record between good ones, in partition 0; also the number of good orders."""
    offsets: list[int] = []
    at = START_MS if place.domain.clock == "marks" else int(time.time() * 1000)

    def produce(producer: Producer, value: bytes | None, key: bytes) -> None:
        producer.produce(
            place.topics.touchpoints,
            value,
            key,
            0,
            headers=HEADERS,
            on_delivery=lambda error, message: offsets.append(-1 if error else message.offset()),
        )

    sent = []
    with a_producer(place.settings.brokers, message_max_bytes=7 << 20, compression_type="lz4", linger_ms=0) as producer:
        produce(producer, encode(an_order(at, user="first")), b"good")
        for number, each in enumerate(bad):
            produce(producer, each.value, f"bad {number}".encode() + b"\xff")
            produce(producer, encode(an_order(at + number, user=f"good-{number % 5}")), b"good")
    for number, each in enumerate(bad):
        sent.append(Sent(each, f"bad {number}".encode() + b"\xff", offsets[1 + 2 * number]))
    return sent, 1 + len(bad)


def work_off(place: Place, bad: list[Bad]) -> tuple[Outcome, list[Sent], int]:
    with a_worker(place):
        sent, good = send_with_bad(place, bad)
        wait_worked_off(place)
    return read_outcome(place), sent, good


def assert_each_has_its_letter(place: Place, sent: list[Sent]) -> None:
    letters = {letter.source_offset: letter for letter in place.records("dead_letters", DeadLetter)}
    for bad, key, offset in sent:
        letter = letters.pop(offset)
        assert letter.reason == bad.reason, f"{bad.what}: {letter.reason}: {letter.detail}"
        assert (letter.stage, letter.source_topic, letter.source_partition) == ("collect", place.topics.touchpoints, 0)
        assert (letter.key, letter.value, letter.headers) == (key, bad.value, dict(HEADERS)), bad.what
        assert letter.detail, bad.what
        assert "Traceback" not in letter.detail, bad.what
    assert letters == {}


def assert_good_ones_went_through(place: Place, outcome: Outcome, good: int, bad: int) -> None:
    account = outcome.accounting()
    assert account["touchpoints"] == good + bad
    assert account["touchpoints"] == account["journalled"] + account["collect_letters"]
    assert account["journalled"] == account["folded"] + account["duplicates"] + account["fold_dead_letters"]
    assert (account["folded"], account["fold_dead_letters"]) == (good, 0)
    assert outcome.total("orders") == good
    profiles = place.last("profiles", ProfileView)
    assert sum(profile.orders for profile in profiles.values()) == good
    assert set(profiles) == {"u:first", *(f"u:good-{number}" for number in range(min(5, bad)))}


def test_every_bad_record_gets_a_dead_letter_and_its_neighbours_go_through(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    bad = bad_records()
    outcome, sent, good = work_off(place, bad)
    assert_each_has_its_letter(place, sent)
    assert_good_ones_went_through(place, outcome, good, len(bad))


def test_in_a_wall_prefix_marks_and_times_to_come_are_bad_too(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path, clock="wall")
    now_ms = int(time.time() * 1000)
    bad = [
        Bad("a mark", encode(Mark(now_ms)), "mark_in_wall_prefix"),
        Bad("the day after tomorrow", encode(an_order(now_ms + 2 * DAY_MS)), "time_out_of_range"),
    ]
    outcome, sent, good = work_off(place, bad)
    assert_each_has_its_letter(place, sent)
    assert_good_ones_went_through(place, outcome, good, len(bad))


def test_an_event_sent_twice_counts_once(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    order = an_order(START_MS, 5_000, user="1")
    again = an_order(START_MS + DAY_MS, 7_000, user="1", event_id=order.event_id)
    send(place, (order, order, an_order(START_MS + 1, 300, user="1"), again, order))
    with a_worker(place):
        wait_worked_off(place)
    outcome = read_outcome(place)
    account = outcome.accounting()
    assert (account["journalled"], account["folded"], account["duplicates"]) == (5, 2, 3)
    assert outcome.total("revenue_minor") == 5_300
    assert outcome.letters == {}


def replay_command(place: Place, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams", "replay", str(file), "--mapping", "rees46"]
    where = ["--brokers", place.settings.brokers, "--prefix", place.settings.prefix]
    return subprocess.run([*command, *where], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (HEADER.replace("user_id", "customer") + "\n", "column user_id is missing"),
        (HEADER.replace(",price", "") + "\n2019-10-01 00:00:00 UTC,view,1,2,,x,7,s\n", "column price is missing"),
    ],
    ids=["an empty file", "no column of users", "no column of prices"],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_clear_line(
    kafka: str, prefix: str, tmp_path: Path, content: str, said: str
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    file = tmp_path / "clicks.csv"
    file.write_text(content)
    done = replay_command(place, file)
    assert done.returncode == 2
    assert said in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(place.messages("touchpoints")) == []


def test_bad_lines_of_a_file_become_dead_letters_and_the_others_touchpoints(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path, reporting_currency="USD")
    good = "2019-10-01 00:0{0}:00 UTC,purchase,44600062,2103807459595387724,,shiseido,35.79,{0},session-{0}"
    lines: dict[int, tuple[bytes, str]] = {
        2: (b"2019-10-01 00:01:00 UTC,view,1,2,,x,1.00", "bad_columns"),
        4: (b"yesterday,view,1,2,,x,1.00,7,s", "bad_time"),
        6: (b"2019-10-01 00:02:00 UTC,purchase,1,2,,x,cheap,7,s", "bad_number"),
        8: (b"2019-10-01 00:02:30 UTC,view,1,2,,\xff\xfe,1.00,7,s", "bad_encoding"),
        10: (b"2019-10-01 00:03:00 UTC,teleport,1,2,,x,1.00,7,s", "unknown_type"),
        12: (b"2019-10-01 00:04:00 UTC,view,1,2,,x,1.00,,s", "missing_id"),
    }
    rows = [HEADER.encode()]
    for number, line in enumerate(lines.values()):
        rows += [line[0], good.format(number + 1).encode()]
    file = tmp_path / "clicks.csv"
    file.write_bytes(b"\n".join(rows) + b"\n")
    with a_worker(place):
        done = replay_command(place, file)
        assert done.returncode == 0, done.stderr
        wait_worked_off(place)
    letters = place.records("dead_letters", DeadLetter)
    assert {letter.source_offset: (letter.value, letter.reason) for letter in letters} == {
        number: (line + b"\n", reason) for number, (line, reason) in lines.items()
    }
    assert {(letter.stage, letter.source_topic, letter.lines) for letter in letters} == {("replay", file.name, 1)}
    outcome = read_outcome(place)
    assert outcome.total("orders") == len(lines)
    assert outcome.total("revenue_minor") == 3_579 * len(lines)
    assert outcome.touchpoints == outcome.journalled == outcome.total("folded") == len(lines)
