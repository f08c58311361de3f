"""The yardstick job as a processor of the engine: frozen states through the overlay, outputs as values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import msgspec

from state.codec import frame, open_frame
from streams.engine.batch import Output
from tests.bench.yardstick.touch import HEADER, Credit, SegmentChanged, Touch, decode
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.engine.batch import Batch

DAY_MS = 86_400_000
RING_MAX, WINDOW_MS = 20, 30 * DAY_MS
RECENCY_MS = (3 * DAY_MS, 10 * DAY_MS, 20 * DAY_MS)
FREQUENCY = (1, 2, 5, 10)
MONETARY_MINOR = (1, 10_000, 50_000, 200_000)

Ring = tuple[tuple[str, int], ...]

_RECENCIES = ("r4", "r3", "r2", "r1")
_VERSION = 1
_BODY = len(HEADER)


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A customer; `ring` are the channels and times of the last touches."""

    first: int
    last: int
    orders: int
    spend: int
    ordered: int
    cart: tuple[str, ...]
    ring: Ring
    segment: str


def begin(touch: Touch) -> State:
    return State(touch.time, touch.time, 0, 0, 0, (), (), "r0f0m0")


def step(state: State, touch: Touch) -> tuple[State, Sequence[Credit], SegmentChanged | None]:
    """One touch: the state that follows, an order's credits, and a change of segment."""
    time, kind = touch.time, touch.type
    ring = (*state.ring[1 - RING_MAX :], (touch.channel, time))
    if kind == "order_completed":
        return _order(state, touch, ring)
    cart, segment = state.cart, state.segment
    if kind == "product_added":
        cart += tuple([product.sku for product in touch.products])
    if state.orders:
        # frequency and money change with an order only
        recency = _RECENCIES[bisect_left(RECENCY_MS, time - state.ordered)]
        if recency != segment[:2]:
            segment = recency + segment[2:]
    after = State(state.first, time, state.orders, state.spend, state.ordered, cart, ring, segment)
    return after, (), _change(state, touch, segment)


def _order(state: State, touch: Touch, ring: Ring) -> tuple[State, Sequence[Credit], SegmentChanged | None]:
    time, orders, spend = touch.time, state.orders + 1, state.spend + (touch.total_minor or 0)
    due = [entry for entry in ring if time - entry[1] <= WINDOW_MS]
    customer, order, weight = touch.customer_id, touch.order_id, 1 / len(due)
    credits_ = [Credit(customer, order, channel, at, weight) for channel, at in due]
    segment = f"r4f{bisect_right(FREQUENCY, orders)}m{bisect_right(MONETARY_MINOR, spend)}"
    return State(state.first, time, orders, spend, time, (), (), segment), credits_, _change(state, touch, segment)


def _change(state: State, touch: Touch, segment: str) -> SegmentChanged | None:
    before = state.segment
    return None if segment == before else SegmentChanged(touch.customer_id, touch.time, before, segment)


class StateCodec:
    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(State).decode

    def encode(self, key: bytes, value: State) -> bytes:  # noqa: ARG002 - of the protocol
        return frame(_VERSION, 0, self._encode(value))

    def decode(self, key: bytes, value: bytes) -> State:  # noqa: ARG002 - of the protocol
        return self._decode(open_frame(value)[2])


class Rfm(Quiet):
    """Processor of the touches."""

    def __init__(self, credits_topic: str, segments_topic: str) -> None:
        self._topics = credits_topic, segments_topic
        self._encode = msgspec.json.Encoder().encode

    def process(self, batch: Batch) -> Iterator[Output]:
        overlay, encode = batch.overlay, self._encode
        credits_topic, segments_topic = self._topics
        if overlay is None:
            raise ValueError("the touches are an input with state")
        get, put = overlay.get, overlay.put
        for message in batch.messages:
            key, value = message.key(), message.value()
            if value is None or value[:_BODY] != HEADER:
                raise ValueError(f"not a touch: {value!r}")
            touch = decode(value)
            state, credits_, change = step(get(key) or begin(touch), touch)
            put(key, state, 0)
            for credit in credits_:
                yield Output(credits_topic, batch.partition, key, encode(credit))
            if change is not None:
                yield Output(segments_topic, batch.partition, key, encode(change))
