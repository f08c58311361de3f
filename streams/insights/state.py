"""State of insights: frozen values under fixed keys, and their codec."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import msgspec

from schemas.insights import Anomaly
from schemas.limits import LONG_MAX, LONG_MIN
from state.codec import frame, open_version
from streams.insights.arrived import Past, Pulse, Shape, Silences, Sources
from streams.insights.detector import Detector, stored
from streams.insights.history import History
from streams.insights.work import Work
from streams.profiles.scores import CutsModel

VERSION = 6
_OF_RULES_3, _OF_RULES_2, _BEFORE_RULES = 5, 4, 3
"""Written until the rules rise, so that earlier releases still read it."""

SETTINGS = b"settings"
CLOCK = b"clock"
STOCKS = b"stocks"
CUTS = b"model/cuts"
CLUSTERS = b"model/clusters"
WARMUP = b"model/warmup"
FIRES = b"fires"
INPUTS = b"inputs"
STEPPED = b"stepped"
LOADED = b"past"


class Settings(msgspec.Struct, frozen=True, array_like=True, tag="settings"):
    """JSON of DomainSettings, as in the last Configured record, and the number of the rules."""

    text: str
    rules: int = 1


class Clock(msgspec.Struct, frozen=True, array_like=True, tag="clock"):
    """How far time has come, and how far windows and models have followed it.

    `spoken_ms` and `complete_ms`: first and last complete_to_ms of each journal partition, None before it
    reported. `hour_ms`, `day_ms`, `slot_ms`, `tick_ms`: next hour and day to close, next slot hour to learn, next
    tick; None before the first. `..._kept_ms`: the oldest that is still kept. `busy_ms`: last closed hour with facts.
    """

    spoken_ms: tuple[int | None, ...] = ()
    complete_ms: tuple[int | None, ...] = ()
    hour_ms: int | None = None
    hour_kept_ms: int = 0
    day_ms: int | None = None
    day_kept_ms: int = 0
    slot_ms: int | None = None
    slot_kept_ms: int = 0
    tick_ms: int | None = None
    busy_ms: int | None = None
    closing: bool = False
    learning: bool = False


class Stepped(msgspec.Struct, frozen=True, array_like=True, tag="stepped"):
    """Windows that begin before were perhaps published when time was ahead. Only release 0.2 and later write it."""

    hour_ms: int = 0
    day_ms: int = 0


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag="loaded"):
    """Since an import: the hour in which the prefix began to run, 0: not known yet. Windows before are of imports."""

    live_ms: int = 0


class Stocks(msgspec.Struct, frozen=True, array_like=True, tag="stocks"):
    """Totals of facts without an hour, by `name|by`."""

    totals: dict[str, int]


class Window(msgspec.Struct, frozen=True, array_like=True, tag="window"):
    """Counts of one hour or day by `name|by`; `revisions` of corrected KPIs."""

    counts: dict[str, int]
    closed: bool = False
    revisions: dict[str, int] = {}


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A panel row, in the order in which rows are learnt."""

    slot_ms: int
    customer_hash: int
    recency_ms: int
    orders: int
    monetary_minor: int
    gap_ms: int
    engagement: float


class Slot(msgspec.Struct, frozen=True, array_like=True, tag="slot"):
    """Panel rows of one hour, in the order of arrival."""

    rows: tuple[Row, ...]


class Cuts(msgspec.Struct, frozen=True, array_like=True, tag="cuts"):
    """The published cuts."""

    model: CutsModel


class Warmup(msgspec.Struct, frozen=True, array_like=True, tag="warmup"):
    """Feature vectors collected before there are clusters."""

    vectors: tuple[tuple[float, ...], ...]


class Clusters(msgspec.Struct, frozen=True, array_like=True, tag="clusters"):
    """Snapshot of the clusters, which are learnt online.

    `centres` are standardised by `mean` and `scale`. `numbers` belong to `reference`, the centres (not standardised)
    when last published. `learnt` counts rows since then.
    """

    library: str
    features_version: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    reference: tuple[tuple[float, ...], ...]
    numbers: tuple[int, ...]
    number_next: int
    version: str | None = None
    learnt: int = 0


class Fire(msgspec.Struct, frozen=True, array_like=True):
    """A flow whose messages are watched: days judged so far, and the open anomaly."""

    version: int
    days: int = 0
    raised: Anomaly | None = None


class Fires(msgspec.Struct, frozen=True, array_like=True, tag="fires"):
    """Flows published with an expectation, by id; state of version 1 had none."""

    flows: dict[str, Fire]


class Input(msgspec.Struct, frozen=True, array_like=True):
    """A type of touchpoint that flows rely on: when it stopped, how many were due since, and the open anomaly."""

    since_ms: int = 0
    due: int = 0
    raised: Anomaly | None = None


class Inputs(msgspec.Struct, frozen=True, array_like=True, tag="inputs"):
    """Inputs by type; state of version 2 had none."""

    types: dict[str, Input]


Quality: TypeAlias = Sources | Pulse | Past | Shape | Silences
"""What is known of the data that comes in, from rules 4 on."""


class Wide(msgspec.Struct, frozen=True, array_like=True, tag="wide"):
    """A window or stocks with sums that no long holds, which are texts; only stored so."""

    counts: dict[str, int | str]
    window: tuple[bool, dict[str, int]] | None
    """Whether it is closed, and its revisions; None: stocks."""


Value: TypeAlias = (
    Settings
    | Clock
    | Stocks
    | Window
    | Slot
    | Cuts
    | Warmup
    | Clusters
    | Detector
    | Fires
    | Inputs
    | Stepped
    | Work
    | History
    | Loaded
    | Quality
)


class Partition(Protocol):
    """The part of state.overlay.Overlay that insights needs."""

    def get(self, key: bytes) -> Any:  # noqa: ANN401 - a key's kind of value is fixed by the key
        ...

    def put(self, key: bytes, value: Any, due_ms: int) -> None:  # noqa: ANN401 - as above
        ...

    def delete(self, key: bytes) -> None: ...


class InsightCodec:
    """A msgpack array with its kind first, in a frame without a due time."""

    def __init__(self) -> None:
        """Set up one encoder and one decoder, used for every value."""
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Value | Wide] = msgspec.msgpack.Decoder(Value | Wide)

    def encode(self, key: bytes, value: Value) -> bytes:  # noqa: ARG002 - the value knows its kind
        encode = self._encoder.encode
        if isinstance(value, Settings):
            if value.rules == 1:
                return frame(_BEFORE_RULES, 0, encode(("settings", value.text)))
            return frame(_OF_RULES_2, 0, encode(value))
        if isinstance(value, Loaded | Quality):
            return frame(VERSION, 0, encode(value))
        if isinstance(value, Work | History):
            return frame(_OF_RULES_3 if isinstance(value, History) else _OF_RULES_2, 0, encode(value))
        if isinstance(value, Detector) and value.incident is not None:
            return frame(_BEFORE_RULES, 0, encode(stored(value, value.incident)))
        wide = _widened(value)
        return frame(_BEFORE_RULES, 0, encode(value)) if wide is None else frame(_OF_RULES_2, 0, encode(wide))

    def decode(self, key: bytes, value: bytes) -> Value:
        """Undo `encode`.

        Raises:
            NewerState: the version is above the one that this code writes.
        """
        _, payload = open_version(value, VERSION, f"{key!r} in the state of insights")
        stored = self._decoder.decode(payload)
        if not isinstance(stored, Wide):
            return stored
        counts = {name: int(number) for name, number in stored.counts.items()}
        return Stocks(counts) if stored.window is None else Window(counts, *stored.window)


def _widened(value: Value) -> Wide | None:
    """Return how a value with a sum that no long holds is stored; None: it has none."""
    if isinstance(value, Window):
        counts = value.counts
    elif isinstance(value, Stocks):
        counts = value.totals
    else:
        return None
    if not counts or (min(counts.values()) >= LONG_MIN and max(counts.values()) <= LONG_MAX):
        return None
    texts: dict[str, int | str] = {
        name: number if LONG_MIN <= number <= LONG_MAX else str(number) for name, number in counts.items()
    }
    return Wide(texts, (value.closed, value.revisions) if isinstance(value, Window) else None)


def hour_key(start_ms: int) -> bytes:
    return b"hour/%d" % start_ms


def day_key(start_ms: int) -> bytes:
    return b"day/%d" % start_ms


def slot_key(end_ms: int) -> bytes:
    return b"slot/%d" % end_ms


def detector_key(kpi: str) -> bytes:
    return b"detector/" + kpi.encode()
