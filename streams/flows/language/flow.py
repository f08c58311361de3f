"""A flow as its file describes it: what may stand there, and what each field means."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from schemas.units import DAY_MS
from streams.flows.language.conditions import Condition, Part, check_of_profile
from streams.flows.language.durations import Clock, Duration, duration_text, parse_duration
from streams.flows.language.events import Channel, EventType
from streams.flows.language.fields import SEGMENTS, DateField
from streams.flows.language.steps import CheckGoalStep, Name, SplitStep, Step, check_date, check_ways

if TYPE_CHECKING:
    from datetime import datetime

PROMOTIONAL_EXITS: tuple[EventType, ...] = (
    "order_completed",
    "ticket_opened",
    "loyalty_changed",
    "email_unsubscribed",
)
"""What ends a promotional flow unless its file names other events; a transactional one has no default."""
LOG_MS = 30 * DAY_MS
"""For how long the messages of a customer are known."""
NEVER_MS = 1 << 62


def _parse_reentry(value: object) -> int:
    if value in {"always", "never"}:
        return NEVER_MS if value == "never" else 0
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError("allowed are always, never and how long after an entry the next one counts, as 30d") from None


def _is_logged(duration_ms: int) -> int:
    if not 0 < duration_ms <= LOG_MS:
        raise ValueError("allowed is more than 0s and at most 30d, for which messages are known")
    return duration_ms


Logged = Annotated[Duration, AfterValidator(_is_logged)]
"""A duration as long as messages are known."""
Reentry = Annotated[int, BeforeValidator(_parse_reentry, json_schema_input_type=str)]


class Goal(Part):
    """What the flow is for: this event within this time of the last message."""

    event: EventType
    window_ms: Duration = Field(alias="window")


class Entry(Part):
    """What makes a customer a candidate: an event, his coming into one of these segments, or a date of his."""

    event: EventType | None = None
    segment: tuple[str, ...] | None = Field(default=None, min_length=1)
    date: DateField | None = None
    """Then, or so long before or after; it moves with the date, and what has passed when it is known starts nothing."""
    before_ms: Duration = Field(default=0, alias="before")
    after_ms: Duration = Field(default=0, alias="after")
    condition: Condition | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Entry:
        if sum(kind is not None for kind in (self.event, self.segment, self.date)) != 1:
            raise ValueError("an entry is an event, a segment or a date, one of the three")
        for name in self.segment or ():
            if name not in SEGMENTS:
                raise ValueError(f"there is no segment {name!r}; allowed are {', '.join(SEGMENTS)}")
        if self.date is not None:
            check_date(self.date, self.before_ms, self.after_ms)
        elif self.before_ms or self.after_ms:
            raise ValueError("before and after are of a date, and the entry is none")
        if self.event is None:
            check_of_profile(self.condition)
        return self

    @property
    def shift_ms(self) -> int:
        """From the date to the entry."""
        return self.after_ms - self.before_ms

    @property
    def words(self) -> str:
        """For a sentence: what happened."""
        if self.date is None:
            return self.event or "a new segment"
        return f"{duration_text(abs(self.shift_ms))} {'before' if self.before_ms else 'after'} {self.date}"


class Wait(Part):
    """How long after the entry the steps begin; one that restarts counts from the last entry event."""

    for_ms: Duration = Field(default=0, alias="for")
    restarts: bool = True


class Needs(Part):
    """What must hold at each message; otherwise the customer has left the flow."""

    cart: Literal["not_empty"] | None = None
    condition: Annotated[Condition, AfterValidator(check_of_profile)] | None = None


class RollingCap(Part):
    """Most promotional messages, of all flows, by one channel or by any, in every window of this length."""

    channel: Channel | None = None
    messages: int = Field(ge=1, le=100)
    within_ms: Logged = Field(alias="within")


class Caps(Part):
    """Most promotional messages of a customer, of all flows: one a channel in so many hours, so many in seven days."""

    per_channel_hours: int = Field(default=20, ge=0, le=720)
    per_week: int = Field(default=3, ge=0, le=100)
    rolling: tuple[RollingCap, ...] = ()


class QuietHours(Part):
    """Times of day, where the customer is, in which no promotional message goes out; over midnight where from > to."""

    from_minute: Clock = Field(alias="from")
    to_minute: Clock = Field(alias="to")

    @model_validator(mode="after")
    def _is_a_time(self) -> QuietHours:
        if self.from_minute == self.to_minute:
            raise ValueError("from and to are the same time of day: no hour is quiet")
        return self

    def holds(self, minute: int) -> bool:
        """Whether a time of day, in minutes since midnight, is quiet."""
        start, end = self.from_minute, self.to_minute
        return start <= minute < end if start < end else start <= minute or minute < end


class Validity(Part):
    """When customers may enter and messages may go out: from on, until before to; times with their offset from UTC."""

    from_time: AwareDatetime | None = Field(default=None, alias="from")
    to_time: AwareDatetime | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _is_a_period(self) -> Validity:
        if self.from_time is None and self.to_time is None:
            raise ValueError("a period of validity needs from, to or both")
        if self.from_time is not None and self.to_time is not None and self.from_time >= self.to_time:
            raise ValueError("from is not before to: the flow would never be valid")
        return self

    def holds(self, now_ms: int) -> bool:
        """Whether a time lies in the period."""
        return _ms(self.from_time, 0) <= now_ms < _ms(self.to_time, NEVER_MS)


def _ms(time: datetime | None, default: int) -> int:
    return default if time is None else round(time.timestamp() * 1000)


class Flow(Part):
    """One version of one flow. Durations are written as 30m, 2h, 7d, and read as milliseconds."""

    id: Name
    version: int = Field(ge=1)
    owner: str = Field(min_length=1)
    goal: Goal
    stage: Literal["any", "prospect", "first_time", "active", "at_risk", "lapsed", "reactivated"]
    """Whom it is for, for people to read; a condition on lifecycle lets others not in."""
    priority: int = Field(ge=0, le=100)
    """The higher one is decided first where two are due at once."""
    message_class: Literal["transactional", "promotional"] = Field(alias="class")
    entry: Entry
    reentry_ms: Reentry = Field(default=0, alias="reentry")
    """How long after his last entry a customer may enter again; NEVER_MS: he enters once."""
    begins_anew: bool = False
    """Whether who is past the first message begins again with another entry; else it changes nothing for him."""
    wait: Wait = Wait()
    needs: Needs = Needs()
    channel: Channel | None = None
    channels: tuple[Channel, ...] | None = Field(default=None, min_length=1)
    """Of those with consent the one by which the customer answered last; without any answer the first."""
    expires_after_ms: Duration = Field(alias="expires_after")
    products: Literal["cart", "entry"] = "cart"
    """What a message shows: the cart as it is then, or the articles of the last entry event."""
    exits: tuple[EventType, ...] | None = None
    caps: Caps = Caps()
    quiet_hours: QuietHours | None = None
    send_time: Literal["at_once", "best"] = "at_once"
    """Best: a message is decided when it is due, and due when the customer opens messages, if that is in time."""
    when_outranked: Literal["wait", "drop"] = "wait"
    """What becomes of a message that meets one of a flow that comes first: it goes out when it may, or not at all."""
    suppresses_ms: Logged | None = Field(default=None, alias="suppresses")
    """For so long after its message no other flow sends a promotional one."""
    holdout_percent: float = Field(default=0, ge=0, le=100)
    valid: Validity | None = None
    relies_on: tuple[EventType, ...] = ()
    """Types without which it goes wrong: those of its entry and its goal in any case, and what else is named.

    Where one of them stops coming in, insights raise an anomaly.
    """
    running_customers: Literal["move", "finish"] = "move"
    """What those do who are in an older version: go on in this one at the step of the same name, or finish theirs."""
    steps: Annotated[tuple[Step, ...], AfterValidator(check_ways)] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _agrees(self) -> Flow:
        if self.exits is not None and self.entry.event in self.exits:
            raise ValueError(f"exits must not name {self.entry.event}: the event of the entry is never an exit")
        if (self.channel is None) == (self.channels is None):
            raise ValueError("a flow has a channel, or channels in order, one of the two")
        if self.channels is not None and len(set(self.channels)) < len(self.channels):
            raise ValueError("channels names one twice")
        if not self.is_promotional and self.quiet_hours is not None:
            raise ValueError("quiet_hours are for promotional flows: a transactional message goes out at any hour")
        if not self.is_promotional and self.send_time == "best":
            raise ValueError("send_time is for promotional flows: a transactional message goes out at once")
        if not self.is_promotional and "when_outranked" in self.model_fields_set:
            raise ValueError("when_outranked is for promotional flows: a transactional message waits for no other")
        if self.products == "entry" and self.entry.event is None:
            raise ValueError("products is entry, and the entry is no event: it has no articles to show")
        unnamed = sorted(self.relied_on.difference(self.relies_on))
        if self.relies_on and unnamed:
            raise ValueError(f"relies_on lacks {unnamed[0]}, which is the flow's entry or its goal")
        if self.checks_goal and self.goal.event in self.exit_events:
            raise ValueError(f"check_goal finds nothing: {self.goal.event}, the goal, ends the flow by itself (exits)")
        return self

    @cached_property
    def relied_on(self) -> frozenset[str]:
        """Types of touchpoints without which the flow goes wrong."""
        return frozenset((*self.relies_on, self.goal.event, self.entry.event or self.goal.event))

    @cached_property
    def is_promotional(self) -> bool:
        """Bound by caps, quiet hours, and by consent given."""
        return self.message_class == "promotional"

    @cached_property
    def ordered_channels(self) -> tuple[Channel, ...]:
        """Those that a message may go out by, best first."""
        return self.channels or (self.channel or get_args(Channel)[0],)

    @cached_property
    def first_due(self) -> str:
        """For a sentence: when the first step is due."""
        wait_ms, words = self.wait.for_ms, self.entry.words
        if wait_ms:
            return f"{duration_text(wait_ms)} after {words}"
        return f"right after {words}" if self.entry.date is None else words

    @property
    def checks_goal(self) -> bool:
        """Whether a step asks for the goal."""
        return any(isinstance(step, CheckGoalStep) for step in self.steps)

    @cached_property
    def split(self) -> SplitStep | None:
        """The step that puts customers into arms."""
        return next((step for step in self.steps if isinstance(step, SplitStep)), None)

    @cached_property
    def exit_events(self) -> frozenset[EventType]:
        """The file's exits, or else those of its class; never the event of the entry."""
        named = self.exits
        if named is None:
            named = PROMOTIONAL_EXITS if self.is_promotional else ()
        return frozenset(event for event in named if event != self.entry.event)


def schema_text() -> str:
    """JSON Schema of a flow file, as deploy/flow.schema.json holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Flow.model_json_schema()}
    return json.dumps(schema, indent=1) + "\n"
