"""A flow as its file describes it, checked hard, and the set of flows as events look them up."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from streams.flows.conditions import Condition, compile_condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.abc import Traversable
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from streams.flows.conditions import Holds

EventType = Literal[
    "ad_clicked", "ad_impression", "checkout_started", "consent_changed", "email_bounced", "email_clicked",
    "email_delivered", "email_opened", "email_unsubscribed", "loyalty_changed", "order_cancelled", "order_completed",
    "order_refunded", "page_viewed", "product_added", "product_removed", "product_searched", "product_viewed",
    "promotion_clicked", "promotion_viewed", "push_opened", "signed_up", "sms_clicked", "sms_delivered",
    "ticket_closed", "ticket_opened",
]  # fmt: skip

PROMOTIONAL_EXITS: tuple[EventType, ...] = (
    "order_completed",
    "ticket_opened",
    "loyalty_changed",
    "email_unsubscribed",
)
"""What ends a promotional flow unless its file names other events; a transactional one has no default."""

_LIBRARY = resources.files("streams.flows") / "library"
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


class FlowError(ValueError):
    """A flow that cannot be used; the message names the file, the path in it, the value and what is allowed."""


def parse_duration(value: object) -> int:
    """Milliseconds of a text such as 30m, 2h or 7d."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("allowed are a whole number and one of s, m, h, d, such as 30m, 2h or 7d")
    return int(match[1]) * _UNITS_MS[match[2]]


def duration_text(duration_ms: int) -> str:
    """The shortest text that parse_duration reads as so many milliseconds; whole seconds."""
    unit = next(unit for unit in "dhms" if duration_ms % _UNITS_MS[unit] == 0)
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


Duration = Annotated[int, BeforeValidator(parse_duration), Field(json_schema_extra={"pattern": _DURATION.pattern})]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Goal(_Part):
    """What the flow is for: this event within this time of the last message."""

    event: EventType
    window_ms: Duration = Field(alias="window")


class Entry(_Part):
    """What makes a customer a candidate."""

    event: EventType
    condition: Condition | None = None


class Wait(_Part):
    """How long after the entry the steps begin; one that restarts counts from the last entry event."""

    for_ms: Duration = Field(default=0, alias="for")
    restarts: bool = True


class Needs(_Part):
    """What must hold when the wait is over; otherwise the candidate has left."""

    cart: Literal["not_empty"] | None = None


class Caps(_Part):
    """Most promotional messages of a customer, of all flows: one a channel in so many hours, so many in seven days."""

    per_channel_hours: int = Field(default=20, ge=0, le=720)
    per_week: int = Field(default=3, ge=0, le=100)


class TriggerStep(_Part):
    """Sends a trigger."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    do: Literal["trigger"]


class Flow(_Part):
    """One version of one flow. Durations are written as 30m, 2h, 7d, and read as milliseconds."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    version: int = Field(ge=1)
    owner: str = Field(min_length=1)
    goal: Goal
    stage: Literal["any", "prospect", "first_time", "active", "at_risk", "lapsed", "reactivated"]
    priority: int = Field(ge=0, le=100)
    message_class: Literal["transactional", "promotional"] = Field(alias="class")
    entry: Entry
    wait: Wait = Wait()
    needs: Needs = Needs()
    channel: Literal["email", "sms", "push"]
    expires_after_ms: Duration = Field(alias="expires_after")
    exits: tuple[EventType, ...] | None = None
    caps: Caps = Caps()
    holdout_percent: float = Field(default=0, ge=0, le=100)
    steps: tuple[TriggerStep, ...] = Field(min_length=1, max_length=1)

    @model_validator(mode="after")
    def _entry_is_no_exit(self) -> Flow:
        if self.exits is not None and self.entry.event in self.exits:
            raise ValueError(f"exits must not name {self.entry.event}: the event of the entry is never an exit")
        return self

    @property
    def is_promotional(self) -> bool:
        """Bound by caps, and by consent given."""
        return self.message_class == "promotional"

    @property
    def exit_events(self) -> frozenset[EventType]:
        """The file's exits, or else those of its class; never the event of the entry."""
        named = self.exits
        if named is None:
            named = PROMOTIONAL_EXITS if self.is_promotional else ()
        return frozenset(named) - {self.entry.event}


class Listening(NamedTuple):
    """What one type of event does."""

    entries: tuple[tuple[Flow, Holds | None], ...]
    """Flows that it may enter, by id, each with its condition compiled."""
    exits: frozenset[str]
    """Ids of the flows that it ends."""


class FlowSet(NamedTuple):
    """Published flows, indexed so that an event costs the flows that listen to it, not all there are."""

    flows: dict[str, Flow]
    listening: dict[str, Listening]


def compile_flows(documents: Iterable[Mapping[str, JsonValue]]) -> FlowSet:
    """The flows of these documents, in order of their ids.

    Raises:
        FlowError: one is not a flow, or two have the same id.
    """
    flows: dict[str, Flow] = {}
    for place, document in enumerate(documents):
        flow = _parse(document, f"flows[{place}]")
        if flow.id in flows:
            raise FlowError(f"flows[{place}]: id is {flow.id!r}, which another flow has; ids must differ")
        flows[flow.id] = flow
    ordered = {flow_id: flows[flow_id] for flow_id in sorted(flows)}
    entries: dict[str, list[tuple[Flow, Holds | None]]] = {}
    exits: dict[str, set[str]] = {}
    for flow in ordered.values():
        condition = flow.entry.condition
        holds = None if condition is None else compile_condition(condition)
        entries.setdefault(flow.entry.event, []).append((flow, holds))
        for event in flow.exit_events:
            exits.setdefault(event, set()).add(flow.id)
    listening = {
        event: Listening(tuple(entries.get(event, ())), frozenset(exits.get(event, ()))) for event in {*entries, *exits}
    }
    return FlowSet(ordered, listening)


def load_flow(path: Path) -> Flow:
    """The flow in a YAML file.

    Raises:
        FlowError: the file cannot be read, or holds no flow.
    """
    return _parse(read_document(path), str(path))


def read_document(path: Path | Traversable) -> dict[str, JsonValue]:
    """What a YAML file holds, as it is published (DomainSettings.flows); its fields are not checked.

    Raises:
        FlowError: the file cannot be read, or is no mapping.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlowError(f"{path}: {error.strerror}; a flow is a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FlowError(f"{path}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise FlowError(f"{path}: holds {type(document).__name__}; a flow is a mapping of {_fields(Flow)}")
    return document


def library_documents() -> tuple[dict[str, JsonValue], ...]:
    """The flows that come with the product, by file name."""
    files = sorted((file for file in _LIBRARY.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return tuple(read_document(file) for file in files)


def _parse(document: Mapping[str, JsonValue], where: str) -> Flow:
    try:
        return Flow.model_validate(document)
    except ValidationError as error:
        items = error.errors()
        # that a list is short is what follows from an item that was refused, not a mistake of its own
        causes = [item for item in items if not any(_is_inside(other["loc"], item["loc"]) for other in items)]
        raise FlowError("; ".join(f"{where}: {_explain(item)}" for item in causes)) from None


def _is_inside(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _explain(item: ErrorDetails) -> str:
    location, message = item["loc"], item["msg"].removeprefix("Value error, ")
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if not path:
        return message
    if item["type"] == "missing":
        return f"{path} is missing; it stands beside {_fields(_part_at(location[:-1]))}"
    if item["type"] == "extra_forbidden":
        return f"{path} is {item['input']!r}: not a field; allowed are {_fields(_part_at(location[:-1]))}"
    return f"{path} is {item['input']!r}: {message}"


def _fields(part: type[BaseModel]) -> str:
    return ", ".join(field.alias or name for name, field in part.model_fields.items())


def _part_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose field stands at a place in the document."""
    part: type[BaseModel] = Flow
    for name in location:
        if isinstance(name, int):
            continue
        field = next(field for known, field in part.model_fields.items() if name in {known, field.alias})
        kinds = (field.annotation, *get_args(field.annotation))
        part = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return part
