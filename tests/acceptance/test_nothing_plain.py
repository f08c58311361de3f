"""An address planted in any text by any way in is in clear in no topic but `touchpoints` and `dead-letters`.

So are phone numbers in free texts. Ids of orders and EANs stay as they are.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import Credit, DeadLetter
from schemas.touchpoint import Consent, Marketing, Order, Product, Spend, Touchpoint
from schemas.wire import SINGLE_OBJECT, encode
from streams.attributes import Attribute
from streams.collect.addresses import address_hash
from streams.collect.checks import TYPES
from streams.collect.collector import Collected, collect
from streams.collect.hiding import FREE_TEXTS
from streams.collect.refused import RefusedRecord
from streams.replay.files.mapping import parse_mapping
from streams.topics import NAMES
from tests.adversary.pipeline import Most, Pipeline
from tests.support.commands import run
from tests.support.flows import TEN
from tests.support.lines import mapped, touchpoints
from tests.support.planted import TESTED_BY_A_PATTERN, VALUE, held, places, planted
from tests.support.producing import a_producer
from tests.support.running import a_worker, make_place, wait_worked_off
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, a_touchpoint

if TYPE_CHECKING:
    from pathlib import Path

    from streams.engine.batch import Output

pytestmark = pytest.mark.acceptance

ADDRESS = "jane@planted.example"
MARKS = (b"planted", b"2345678", ADDRESS.encode().hex().encode())
"""What is in each form of the address, and in the phone number; a hash has neither."""
PHONE = "+49 151 2345678"
NUMBERS = ("1000234567", "4006381333931", "0012345678905")
FORMS = (
    ADDRESS,
    "Jane <jane@planted.example>",
    "mailto:Jane@Planted.example",
    "jane%40planted.example",
    "jane%2540planted.example",
    "jane&#64;planted.example",
    "jane\uff20planted.example",
    "/\njane@planted.example",
)
PLACES = [place for place in places() if place not in TESTED_BY_A_PATTERN]
FREE = [VALUE, *[f"marketing.{name}" for name in sorted(FREE_TEXTS)]]
IN_CLEAR = {"touchpoints", "dead_letters"}
MAPPING = parse_mapping(
    """
    about: one column for each text
    source: mail
    file: {kind: csv}
    time: {column: at}
    type: {column: kind, values: {order_completed: order_completed, product_viewed: product_viewed}}
    fields: {user_id: user, anonymous_id: device, email_hash: mail, session_id: session, channel: channel,
      country: country, time_zone: zone}
    event_id: [id]
    money: {currency: {constant: EUR}}
    product: {sku: sku, category: category, price: price}
    properties: {note: note}
    orders: {group_by: [id], open_ms: 1000}
    """,
    "mail",
)
COLUMNS = (
    "id",
    "at",
    "kind",
    "user",
    "device",
    "mail",
    "session",
    "channel",
    "country",
    "zone",
    "sku",
    "category",
    "note",
)


class Watched(Pipeline):
    """Door, fold and insights in one process; every byte behind the door is kept, by topic."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, list[bytes]] = defaultdict(list)
        super().__init__(Most(), clock="marks", consent_default="granted", flows=TEN)

    def pass_days(self, count: int) -> None:
        """Let time pass, and note what is stored then."""
        for day in range(1, count + 1):
            self.pass_time(START_MS + day * DAY_MS)
        for name, overlay in (
            *((f"state {at}", each) for at, each in enumerate(self._overlays)),
            ("insights", self._insights),
        ):
            self.seen[name] += [key + b" " + value for key, value in overlay.store.items()]

    def _note_step(self, stage: str, begun_ns: int, outputs: list[Output] | tuple[()]) -> None:
        for output in outputs:
            self._note(output.topic.partition(".")[2], output.key, output.value, tuple(output.headers or ()))
        super()._note_step(stage, begun_ns, outputs)

    def _append(
        self, partition: int, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._note("journal", key, value, headers)
        super()._append(partition, key, value, headers)

    def _note(self, topic: str, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> None:
        self.seen[topic].append(b" ".join([key or b"", value or b"", *[held for _, held in headers]]))

    def plain(self) -> Counter[str]:
        """How often each topic has a mark in clear."""
        return Counter(
            topic for topic, kept in self.seen.items() for each in kept if any(mark in each.lower() for mark in MARKS)
        )


def an_event(kind: str, at_ms: int, customer: str) -> Touchpoint:
    """A touchpoint of a type with everything that it may have."""
    return a_touchpoint(
        kind,
        at_ms,
        customer,
        anonymous_id=f"device of {customer}",
        channel="email",
        name="Quiz Finished" if kind == "custom" else None,
        marketing=Marketing(utm_source="news", utm_campaign="spring"),
        order=Order(f"order of {customer}", "EUR", 4_200) if kind.startswith(("order_", "checkout_")) else None,
        spend=Spend("EUR", 100) if kind == "spend_recorded" else None,
        consent=Consent("email", granted=True) if kind == "consent_changed" else None,
        products=(Product("mug", 900, 1, "kitchen"),),
    )


def sent_in_each_type(pipeline: Pipeline, place: str, texts: tuple[str, ...]) -> int:
    """A customer does everything once, each time with a text in this place; returns how many records got in."""
    kinds = [*sorted(TYPES - {"erasure_requested"}), "product_added", "order_completed", "order_refunded"]
    refused = 0
    for number, kind in enumerate(kinds):
        event = an_event(kind, START_MS + number * HOUR_MS, f"customer of {place}")
        value = encode(planted(event, place, texts[number % len(texts)]))
        refused += pipeline.send(kind, value, event.time_ms).refused
    others = ("product_viewed", "leaves a cart"), ("product_added", "leaves a cart"), ("order_completed", "buys")
    for number, (kind, who) in enumerate(others):
        event = an_event(kind, START_MS + number * MINUTE_MS, f"who {who} of {place}")
        refused += pipeline.send(kind, encode(planted(event, place, texts[number % len(texts)])), event.time_ms).refused
    # a consent for the channel or the purpose of an address is none
    assert refused == (place in {"consent.channel", "consent.purpose"})
    return len(kinds) + len(others) - refused


@pytest.mark.parametrize("seed", [1, 2])
def test_an_address_in_any_text_of_any_type_is_in_clear_in_no_topic_behind_the_door(seed: int) -> None:
    pipeline = Watched()
    forms = list(FORMS)
    Random(seed).shuffle(forms)
    got_in = sum(sent_in_each_type(pipeline, place, tuple(forms)) for place in PLACES)
    assert got_in > 30 * len(PLACES)
    pipeline.pass_days(40)
    assert {"journal", "profiles", "triggers", "decisions", "credits", "segments", "facts", "kpis"} <= set(
        pipeline.seen
    )
    assert pipeline.plain() == Counter()
    found = address_hash(ADDRESS).encode()
    for topic in ("journal", "profiles", "decisions", "triggers", "credits", "facts", "state 0", "state 1"):
        assert any(found in each for each in pipeline.seen[topic]), topic


def test_the_same_touchpoints_past_the_door_are_in_clear_almost_everywhere() -> None:
    """That nothing is found above says something: without the door it would be."""
    pipeline = Watched()
    for place in PLACES:
        for number, kind in enumerate(("product_viewed", "product_added", "order_completed", "order_refunded")):
            event = planted(an_event(kind, START_MS + number * MINUTE_MS, f"customer of {place}"), place, ADDRESS)
            pipeline._append(number % 2, b"u:1", encode(event))  # noqa: SLF001 - past the door, as nobody may
    pipeline.pass_days(3)
    assert {"journal", "credits", "facts", "state 0", "state 1"} <= set(pipeline.plain())


@pytest.mark.parametrize("place", FREE)
def test_a_phone_number_in_a_free_text_is_in_clear_in_no_topic_behind_the_door(place: str) -> None:
    pipeline = Watched()
    sent_in_each_type(pipeline, place, (PHONE, f"call {PHONE}", "0151/2345678", "0049 151 2345678"))
    pipeline.pass_days(3)
    assert pipeline.plain() == Counter()
    assert any(b"[phone]" in each for each in pipeline.seen["journal"])


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", [place for place in PLACES if place != "traits, a name"])
def test_an_orders_id_and_an_ean_go_on_untouched(place: str, number: str) -> None:
    """Of traits only those that the catalogue names go on."""
    event = planted(an_event("order_completed", START_MS, "1"), place, number)
    value = encode(event)
    settings = Watched().settings.model_copy(update={"attributes": {"note": Attribute(type="text", of="customer")}})
    found = collect(value, START_MS, SINGLE_OBJECT, settings)
    assert isinstance(found, Collected)
    assert found.value == value
    assert held(SINGLE_OBJECT.decode(found.value), place) == number


def calls(text: str, phone: str) -> list[bytes]:
    """A Segment call for each of its texts."""
    found = []
    for path in (
        *("messageId", "userId", "anonymousId", "context.sessionId", "context.timezone", "context.location.country"),
        *("context.campaign.id", "context.campaign.name", "context.campaign.source", "context.campaign.medium"),
        *("context.campaign.term", "context.campaign.content", "context.referrer.id", "context.traits.email"),
        *("properties.channel", "properties.email", "properties.email_id", "properties.campaign_id"),
        *("properties.order_id", "properties.coupon", "properties.sku", "properties.category", "traits.email"),
    ):
        context = {"campaign": {"name": "c", "term": phone}, "location": {}, "referrer": {}, "traits": {}}
        properties = {"order_id": f"o {path}", "total": 12.5, "currency": "EUR", "sku": "mug", "price": 1}
        call: dict[str, Any] = {"type": "track", "event": "Order Completed", "messageId": path, "userId": path}
        call |= {"timestamp": "2026-01-01T10:00:00Z", "context": context, "properties": properties, "traits": {}}
        *parts, name = path.split(".")
        holder = call
        for part in parts:
            holder = holder[part]
        holder[name] = text
        found.append(json.dumps(call, ensure_ascii=False).encode())
    return found


def refusals(text: str) -> list[bytes]:
    """Records that are refused, with a text where a detail could show it."""
    call = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m",
        "userId": "u",
        "timestamp": "2026-01-01T10:00:00Z",
    }
    event = an_event("order_completed", START_MS, "1")
    return [
        *[json.dumps({**call, name: text}).encode() for name in ("type", "timestamp", "context", "properties")],
        json.dumps({**call, "properties": {"order_id": "o", "total": text}}).encode(),
        json.dumps({**call, "properties": {"order_id": "o", "total": 1, "currency": text}}).encode(),
        json.dumps({**call, "event": [text]}).encode(),
        json.dumps({**call, "event": "x" * 600 + " " + text}).encode(),
        json.dumps({"event_id": "e", "time_ms": START_MS, text: 1}).encode(),
        json.dumps({**call, "specversion": text}).encode(),
        encode(planted(event, "order.currency", text)),
        *[
            encode(planted(an_event("consent_changed", START_MS, "1"), place, text))
            for place in ("consent.channel", "consent.purpose")
        ],
        encode(planted(event, "email_hash", f"{text} and {text}")),
        encode(planted(event, "session_id", text * 100)),
        text.encode(),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_call_of_segment_is_no_way_round_it(form: str) -> None:
    pipeline = Watched()
    sent = [pipeline.send("a call", value, START_MS) for value in calls(form, PHONE)]
    assert not any(cost.refused for cost in sent)
    pipeline.pass_days(2)
    assert pipeline.plain() == Counter()
    assert any(address_hash(ADDRESS).encode() in each for each in pipeline.seen["journal"])


@pytest.mark.parametrize("form", FORMS)
def test_nor_is_a_column_file(form: str, tmp_path: Path) -> None:
    texts = [name for name in COLUMNS if name not in {"at", "kind", "mail"}]
    lines = []
    for number, name in enumerate(texts):
        for kind in ("product_viewed", "order_completed"):
            line = {column: f"{column} {number}" for column in COLUMNS}
            line |= {
                "at": f"2026-01-01T10:{number:02}:00Z",
                "kind": kind,
                "mail": ADDRESS,
                "note": f"call {PHONE}",
                name: form,
            }
            lines.append(",".join([f'"{line[column]}"' for column in COLUMNS] + ["9.00"]))
    outcomes = mapped(tmp_path, *lines, mapping=MAPPING, header=",".join([*COLUMNS, "price"]))
    events = touchpoints(outcomes)
    assert len(events) >= 2 * len(texts) - 2
    pipeline = Watched()
    for event in events:
        assert not pipeline.send("a line", encode(event), event.time_ms).refused
    pipeline.pass_days(2)
    assert pipeline.plain() == Counter()
    assert any(b"[phone]" in each for each in pipeline.seen["journal"])


@pytest.mark.parametrize("form", [*FORMS, PHONE])
def test_the_reason_for_which_a_record_is_refused_tells_no_address(form: str) -> None:
    pipeline = Watched()
    for value in refusals(form):
        with pytest.raises(RefusedRecord) as refused:
            collect(value, START_MS, SINGLE_OBJECT, pipeline.settings)
        said = str(refused.value).lower().encode()
        assert not any(mark in said for mark in MARKS), said


def test_on_kafka_only_touchpoints_and_dead_letters_hold_an_address(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=list(TEN))
    good = [
        *[
            encode(planted(an_event(kind, START_MS, f"customer of {at}"), at, FORMS[number % len(FORMS)]))
            for number, at in enumerate(PLACES)
            for kind in ("product_viewed", "product_added", "order_completed")
        ],
        *calls(ADDRESS, PHONE),
        encode(planted(an_event("page_viewed", START_MS, "1"), VALUE, PHONE)),
    ]
    bad = refusals(ADDRESS) + refusals(PHONE)
    with a_worker(place) as worker:
        with a_producer(place.settings.brokers) as producer:
            for value in good + bad:
                producer.produce(place.topics.touchpoints, value, ADDRESS.encode(), headers=[("who", ADDRESS.encode())])
        wait_worked_off(place)
        letters = place.records("dead_letters", DeadLetter)
        assert len(letters) == len(bad)
        retried = run("dead-letters", "retry", "--all", **place.variables)
        assert retried.exit_code == 0, retried.output
        wait_worked_off(place)
        log = worker.log.read_bytes().lower()
    assert not any(mark in log for mark in MARKS)
    in_clear = set()
    for topic in NAMES:
        for message in place.messages(topic):
            kept = b" ".join(
                [message.key() or b"", message.value() or b"", *[held or b"" for _, held in message.headers() or ()]]
            )
            if any(mark in kept.lower() for mark in MARKS):
                in_clear.add(topic)
    assert in_clear == IN_CLEAR
    assert place.records("credits", Credit)
    again = place.records("dead_letters", DeadLetter)
    assert len(again) == 2 * len(bad)
    assert not any(mark in letter.detail.lower().encode() for letter in again for mark in MARKS)
    listed = run("dead-letters", "list", "--json", "--limit", "1000", **place.variables).stdout
    assert not any(mark in listed.lower().encode() for mark in MARKS)
    positions = [str(each["position"]) for each in json.loads(listed)["letters"]]
    for position in positions[: len(bad)]:
        said = run("dead-letters", "show", position, "--json", **place.variables)
        assert said.exit_code == 0, said.output
        assert not any(mark in said.stdout.lower().encode() for mark in MARKS), said.stdout
    assert ADDRESS in run("dead-letters", "show", positions[0], "--plain", **place.variables).stdout
